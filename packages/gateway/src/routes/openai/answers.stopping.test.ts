import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { eventually, readJson } from '../../fixtures/test-gateway.ts'
import {
  ask,
  chat,
  endless,
  errorOf,
  figures,
  otherSteps,
  reply,
  resume,
  untilIdle,
} from './fixtures/answers.ts'
import { errorCodeOf } from './fixtures/event-reader.ts'
import { createTestApp } from './fixtures/test-app.ts'

describe('stopping', () => {
  it.each([
    ['POST', 'cancel'],
    ['DELETE', ''],
  ])('by %s stops the engine within a step, also after a resume', async (method, verb) => {
    const held = Promise.withResolvers<void>()
    let holds = false
    await using app = createTestApp({ beforeStep: () => (holds ? held.promise : nextTurn()) })
    const { id, reader } = await ask(app, endless)
    await reader.readTo(3)
    await reader.cut()
    const tab = await resume(app, id, reader.lastId)
    await tab.readTo(3)
    holds = true
    // A step may be on its way; the next one waits.
    await nextTurn()
    const before = app.engine.steps
    const response = await app.get(`/v1/answers/${id}${verb && `/${verb}`}`, { method })
    expect(response.status).toBe(200)
    holds = false
    held.resolve()
    await untilIdle(app)
    expect(app.engine.steps - before).toBeLessThanOrEqual(1)
    expect(await otherSteps(app)).toBe(0)
    expect(errorCodeOf(await tab.rest())).toBe('answer_cancelled')
    expect(await figures(app)).toMatchObject({
      'sessions{model="test",state="leased"}': 0,
      'resumable_answers{state="running"}': 0,
      'resumable_answers_ended_total{kind="stream",outcome="cancelled"}': 1,
    })
  })

  it('keeps the events for a tab that resumes later; deleting does not', async () => {
    await using app = createTestApp({ stepDelayMs: 2 })
    const { id, reader } = await ask(app, endless)
    await reader.readTo(6)
    expect(await readJson(await app.get(`/v1/answers/${id}/cancel`, { method: 'POST' }))).toEqual({
      id,
      object: 'answer',
      outcome: 'cancelled',
    })
    const events = await reader.rest()
    expect(await (await resume(app, id, 3)).rest()).toEqual(events.slice(3))
    expect(await readJson(await app.get(`/v1/answers/${id}`, { method: 'DELETE' }))).toEqual({
      id,
      object: 'answer.deleted',
      deleted: true,
    })
    expect(await errorOf(await app.get(`/v1/answers/${id}/stream`))).toMatchObject({
      status: 404,
      code: 'answer_gone',
      message: expect.stringMatching(/deleted on request.*Send the request again.*continue_final_message/),
    })
  })

  it('a complete answer changes nothing', async () => {
    await using app = createTestApp({ reply })
    const { id, reader } = await ask(app)
    await reader.rest()
    const response = await app.get(`/v1/answers/${id}/cancel`, { method: 'POST' })
    expect(await readJson(response)).toMatchObject({ outcome: 'complete' })
    expect((await (await resume(app, id)).rest()).at(-1)?.data).toBe('[DONE]')
  })

  it('removes the request from the queue', async () => {
    await using app = createTestApp({ stepDelayMs: 5, maxSessions: 1 })
    const first = await ask(app, endless)
    const second = ask(app, endless)
    const { id } = await second
    await app.get(`/v1/answers/${id}/cancel`, { method: 'POST' })
    expect(errorCodeOf(await (await second).reader.rest())).toBe('answer_cancelled')
    await app.get(`/v1/answers/${first.id}`, { method: 'DELETE' })
    expect(app.engine.sessionsOpened).toBe(1)
  })
})

describe('a client that does not resume', () => {
  const config = { answers: { unreadTimeoutMs: 500, keepMs: 300 } }

  it('holds neither a session nor memory after a while', async () => {
    await using app = createTestApp({ stepDelayMs: 2, config })
    const { id, reader } = await ask(app, endless)
    await reader.readTo(3)
    await reader.cut()
    await eventually(async () =>
      expect(await figures(app)).toMatchObject({
        'resumable_answers{state="running"}': 0,
        'resumable_answers_ended_total{kind="stream",outcome="expired"}': 1,
        'sessions{model="test",state="leased"}': 0,
      }),
    )
    expect(await otherSteps(app)).toBe(0)
    await eventually(async () =>
      expect(await figures(app)).toMatchObject({
        'resumable_answers{state="finished"}': 0,
        resumable_answer_bytes: 0,
      }),
    )
    const error = await errorOf(await app.get(`/v1/answers/${id}/stream?after=3`))
    expect(error).toMatchObject({ status: 404, code: 'answer_gone', param: null })
  })

  it('gets the events and the reason for the end if it resumes a little later', async () => {
    await using app = createTestApp({ stepDelayMs: 2, config: { answers: { unreadTimeoutMs: 500 } } })
    const { id, reader } = await ask(app, endless)
    await reader.readTo(3)
    await reader.cut()
    await eventually(async () =>
      expect(await figures(app)).toMatchObject({ 'resumable_answers{state="running"}': 0 }),
    )
    const events = await (await resume(app, id, reader.lastId)).rest()
    expect(events.length).toBeGreaterThan(1)
    expect(errorCodeOf(events)).toBe('answer_gone')
    expect(events.at(-1)?.data).toContain('no client read it')
  })

  it('stops the engine at once if it has no id yet', async () => {
    await using app = createTestApp({ beforeStep: () => new Promise(() => {}) })
    const connection = new AbortController()
    const pending = app.post(chat, endless, { signal: connection.signal })
    await eventually(() => expect(app.engine.openSessions).toBe(1))
    connection.abort()
    expect((await pending).status).toBe(499)
    await eventually(() => expect(app.engine.openSessions).toBe(0))
    expect(await figures(app)).toMatchObject({
      'resumable_answers{state="finished"}': 0,
      'resumable_answers_ended_total{kind="stream",outcome="cancelled"}': 1,
    })
  })
})

describe('a server that stops', () => {
  it('tells the readers of answers that take too long, after all of their events', async () => {
    const app = createTestApp({ stepDelayMs: 2 })
    const { reader } = await ask(app, endless)
    await reader.readTo(4)
    await app[Symbol.asyncDispose]()
    const events = await reader.rest()
    expect(errorCodeOf(events)).toBe('shutting_down')
    expect(events.map(({ id }) => id?.split(':')[1])).toEqual(events.map((_, index) => String(index + 1)))
  })
})
