import { CapacityError, GenerationFailedError } from '@petals-chat/engine'
import { describe, expect, it, vi } from 'vitest'
import { type LogRecord, recordingLogger } from '../../fixtures/test-gateway.ts'
import { ask, chat, endless, errorOf, figures, reply, resumable, resume } from './fixtures/answers.ts'
import { errorCodeOf } from './fixtures/event-reader.ts'
import { createTestApp, type TestAppOptions } from './fixtures/test-app.ts'

describe('failures', () => {
  const failAt = (step: number, error: Error): TestAppOptions => ({
    beforeStep: (at) => {
      if (at.step === step) throw error
    },
  })

  it('before the first event have their own status, and leave nothing behind', async () => {
    const config = { unknownModel: 'refuse' } as const
    const full = failAt(0, new CapacityError('Full.', { retryAfterMs: 2_500 }))
    await using app = createTestApp({ ...full, config })
    const response = await app.post(chat, resumable)
    expect(await errorOf(response)).toMatchObject({ status: 429, code: 'capacity', message: 'Full.' })
    expect(response.headers.get('retry-after')).toBe('3')
    expect((await errorOf(await app.post(chat, { ...resumable, model: 'no' }))).status).toBe(404)
    expect((await errorOf(await app.post(chat, { ...resumable, max_tokens: 0 }))).status).toBe(400)
    expect(await figures(app)).toMatchObject({
      'resumable_answers{state="running"}': 0,
      'resumable_answers{state="finished"}': 0,
    })
  })

  it('in the middle are the last event for every reader, now or later', async () => {
    await using app = createTestApp(failAt(5, new GenerationFailedError('Broken.')))
    const { id, reader } = await ask(app, endless)
    const events = await reader.rest()
    expect(errorCodeOf(events)).toBe('generation_failed')
    expect(events.at(-1)?.id).toBe(`${id}:${events.length}`)
    expect(await (await resume(app, id, 2)).rest()).toEqual(events.slice(2))
    expect(await figures(app)).toMatchObject({
      'resumable_answers_ended_total{kind="stream",outcome="failed"}': 1,
    })
  })

  it('are logged once, with the id of the request, without prompts or answer ids', async () => {
    const records: LogRecord[] = []
    await using app = createTestApp({
      ...failAt(5, new GenerationFailedError('Broken.')),
      logger: recordingLogger(records),
    })
    const { id, reader } = await ask(app, { ...endless, messages: [{ role: 'user', content: 'canary' }] })
    await reader.rest()
    await app.get(`/v1/answers/${id}/stream?after=1`)
    await app.get(`/v1/answers/${id}/nonsense`)
    expect(records.filter(({ message }) => message === 'Broken.')).toHaveLength(1)
    expect(records).toContainEqual({
      level: 'info',
      message: 'resumable answer ended',
      fields: {
        requestId: expect.any(String),
        kind: 'stream',
        outcome: 'failed',
        messages: expect.any(Number),
      },
    })
    expect(JSON.stringify(records)).not.toMatch(/canary|ans_[\w-]/)
  })

  it.each([
    ['?after=-1', 'after', /id of the last event/],
    ['?after=1.5', 'after', /id of the last event/],
    ['?after=abc', 'after', /id of the last event/],
    ['?after=ans_AAAAAAAAAAAAAAAAAAAAAA:1', 'after', /id of the last event/],
    ['?after=99999999999999999999', 'after', /id of the last event/],
    ['?after=100000', 'after', /this answer has \d+ events so far/],
  ])('of %s are described in words', async (query, param, message) => {
    await using app = createTestApp({ reply })
    const { id, reader } = await ask(app)
    await reader.rest()
    const error = await errorOf(await app.get(`/v1/answers/${id}/stream${query}`))
    expect(error).toMatchObject({ status: 400, param, message: expect.stringMatching(message) })
  })

  it.each(['nope', 'ans_AAAAAAAAAAAAAAAAAAAAAA', '__proto__', '..%2F..%2Fmodels', 'a'.repeat(500)])(
    'of the id %s are the same for every operation',
    async (id) => {
      await using app = createTestApp()
      for (const [path, method] of [
        ['/stream', 'GET'],
        ['/cancel', 'POST'],
        ['', 'DELETE'],
      ] as const) {
        const error = await errorOf(await app.get(`/v1/answers/${id}${path}`, { method }))
        expect(error).toMatchObject({ status: 404, code: 'answer_gone' })
      }
    },
  )

  it('of a request for the headers alone do not keep the answer running', async () => {
    await using app = createTestApp({ stepDelayMs: 2, config: { answers: { unreadTimeoutMs: 300 } } })
    const { id, reader } = await ask(app, endless)
    expect((await app.get(`/v1/answers/${id}/stream`, { method: 'HEAD' })).status).toBe(405)
    await reader.cut()
    await vi.waitFor(async () =>
      expect(await figures(app)).toMatchObject({ 'resumable_answers{state="running"}': 0 }),
    )
  })
})
