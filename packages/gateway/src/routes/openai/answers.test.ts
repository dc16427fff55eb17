import { describe, expect, it, vi } from 'vitest'
import {
  ask,
  chat,
  endless,
  errorOf,
  figures,
  reply,
  request,
  resumable,
  resume,
  wholeText,
} from './fixtures/answers.ts'
import { EventReader, eventsIn, textOf } from './fixtures/event-reader.ts'
import { createTestApp } from './fixtures/test-app.ts'

describe('a resumable answer', () => {
  it('has its id in a header, and in the ids of its events, which count from 1', async () => {
    await using app = createTestApp({ reply })
    const { id, reader } = await ask(app)
    const events = await reader.rest()
    expect(id).toMatch(/^ans_[\w-]{22}$/)
    expect(events.map((event) => event.id)).toEqual(events.map((_, index) => `${id}:${index + 1}`))
    expect(events.at(-1)?.data).toBe('[DONE]')
    expect(textOf(events)).toBe(await wholeText(app))
  })

  it('exists only where the client asks for it', async () => {
    await using app = createTestApp({ reply })
    for (const body of [{}, { resumable: false }, { resumable: null }]) {
      const response = await app.post(chat, { ...request, stream: true, ...body })
      expect(response.headers.get('x-answer-id')).toBeNull()
      expect(await response.text()).not.toMatch(/^id:/m)
    }
    expect(await figures(app)).toMatchObject({
      'resumable_answers{state="running"}': 0,
      'resumable_answers{state="finished"}': 0,
    })
  })

  it('requires a stream', async () => {
    await using app = createTestApp()
    const error = await errorOf(await app.post(chat, { ...resumable, stream: false }))
    expect(error).toMatchObject({ status: 400, param: 'resumable', code: 'invalid_value' })
    expect(await errorOf(await app.post(chat, { ...resumable, resumable: 'yes' }))).toMatchObject({
      status: 400,
      param: 'resumable',
    })
    expect(app.engine.steps).toBe(0)
  })

  it('can be read again from any event on, given its number, its id, or the header of an EventSource', async () => {
    await using app = createTestApp({ reply })
    const { id, reader } = await ask(app)
    const events = await reader.rest()
    for (const after of [0, 1, 17, events.length - 1]) {
      const expected = events.slice(after)
      expect(await (await resume(app, id, after)).rest()).toEqual(expected)
      expect(await (await resume(app, id, `${id}:${after}`)).rest()).toEqual(expected)
      const headers = { 'last-event-id': `${id}:${after}` }
      const response = await app.get(`/v1/answers/${id}/stream?after=1`, { headers })
      expect(response.headers.get('x-answer-id')).toBe(id)
      expect(await new EventReader(response).rest()).toEqual(expected)
    }
    expect(await (await resume(app, id)).rest()).toEqual(events)
    const nothing = await app.get(`/v1/answers/${id}/stream?after=${events.length}`)
    expect([nothing.status, await nothing.text()]).toEqual([204, ''])
    expect(app.engine.sessionsOpened).toBe(1)
  })

  it('continues without a reader, and can be read to its end later', async () => {
    await using app = createTestApp({ reply, stepDelayMs: 1 })
    const { id, reader } = await ask(app)
    await reader.readTo(5)
    await reader.cut()
    const before = app.engine.steps
    await vi.waitFor(() => expect(app.engine.steps).toBeGreaterThan(before + 10))
    const rest = await resume(app, id, reader.lastId)
    await rest.rest()
    expect(textOf([...reader.events, ...rest.events])).toBe(await wholeText(app))
    expect(await figures(app)).toMatchObject({ 'answer_resumptions_total{kind="stream"}': 1 })
  })

  it.each([
    ['chat completions', chat, {}],
    ['chat completions of several choices with log probabilities', chat, { n: 2, logprobs: true }],
    ['completions', '/v1/completions', { prompt: 'Once', max_tokens: 60, messages: undefined }],
  ])('of %s loses and repeats no event, wherever it is cut', async (_name, path, more) => {
    await using app = createTestApp({ reply })
    const body = { ...resumable, ...more, seed: 7, stream_options: { include_usage: true } }
    const { id, reader } = await ask(app, body, path)
    const whole = await reader.rest()
    const bytes = Buffer.from(whole.map((event) => `id: ${event.id}\ndata: ${event.data}\n\n`).join(''))
    for (let cut = 0; cut < 100; cut++) {
      const read = eventsIn(bytes.subarray(0, Math.floor((bytes.length * cut) / 100)).toString())
      const rest = await resume(app, id, read.at(-1)?.id ?? 0)
      expect([...read, ...(await rest.rest())]).toEqual(whole)
    }
  })

  it('ends with its usage and its timings for a reader that resumes', async () => {
    await using app = createTestApp({ reply })
    const { id, reader } = await ask(app, { ...resumable, stream_options: { include_usage: true } })
    await reader.readTo(3)
    await reader.cut()
    const events = await (await resume(app, id, reader.lastId)).rest()
    const [last, usage, done] = events.slice(-3).map(({ data }) => data)
    expect(JSON.parse(last!)).toMatchObject({ timings: { predicted_n: expect.any(Number) } })
    expect(JSON.parse(usage!)).toMatchObject({
      choices: [],
      usage: { completion_tokens: expect.any(Number) },
    })
    expect(done).toBe('[DONE]')
  })

  it('serves several readers at once, each at its own pace', async () => {
    await using app = createTestApp({ reply, stepDelayMs: 1 })
    const { id, reader } = await ask(app)
    await reader.readTo(4)
    const tabs = await Promise.all([resume(app, id), resume(app, id, 2), resume(app, id, reader.lastId)])
    await tabs[0]!.readTo(8)
    await reader.cut()
    const [all, two, rest] = await Promise.all(tabs.map((tab) => tab.rest()))
    expect(textOf(all!)).toBe(await wholeText(app))
    expect([...all!.slice(0, 2), ...two!]).toEqual(all)
    expect([...reader.events, ...rest!].slice(-rest!.length)).toEqual(all!.slice(-rest!.length))
  })

  it('is not delayed by a reader that reads nothing', async () => {
    await using app = createTestApp({ stepDelayMs: 0 })
    const { id, reader } = await ask(app, { ...resumable, max_tokens: 300, logprobs: true, top_logprobs: 20 })
    const tab = await resume(app, id)
    const events = await tab.rest()
    expect(events.at(-1)?.data).toBe('[DONE]')
    expect(JSON.stringify(events).length).toBeGreaterThan(4 * 64 * 1024)
    expect(await reader.rest()).toEqual(events)
  })
})

describe('limits', () => {
  it('an answer is an ordinary stream while no more answers can be kept', async () => {
    await using app = createTestApp({ stepDelayMs: 2, config: { answers: { maxKept: 1 } } })
    const { id } = await ask(app, endless)
    const response = await app.post(chat, { ...resumable, max_tokens: 3 })
    expect(response.headers.get('x-answer-id')).toBeNull()
    expect(await response.text()).toMatch(/^data: [^]*data: \[DONE\]\n\n$/)
    await app.get(`/v1/answers/${id}/cancel`, { method: 'POST' })
    await ask(app)
    expect((await app.get(`/v1/answers/${id}/stream`)).status).toBe(404)
  })

  it('a long answer without a reader stays within its bytes; a late reader learns which events are gone', async () => {
    await using app = createTestApp({ config: { answers: { maxKeptBytes: 20_000 } } })
    const { id, reader } = await ask(app, endless)
    await reader.readTo(2)
    await reader.cut()
    await vi.waitFor(async () =>
      expect(await figures(app)).toMatchObject({ 'resumable_answers{state="finished"}': 1 }),
    )
    expect((await figures(app)).resumable_answer_bytes).toBeLessThanOrEqual(20_000)
    expect(await errorOf(await app.get(`/v1/answers/${id}/stream?after=2`))).toMatchObject({
      status: 404,
      code: 'answer_gone',
      message: expect.stringMatching(/^Parts 1 to \d+ of this answer are no longer kept\./),
    })
  })
})
