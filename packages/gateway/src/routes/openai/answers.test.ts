import { setTimeout as sleep } from 'node:timers/promises'
import { CapacityError, GenerationFailedError } from '@petals-chat/engine'
import { describe, expect, test, vi } from 'vitest'
import { type LogRecord, readJson, recordingLogger } from '../../fixtures/test-gateway.ts'
import { errorCodeOf, EventReader, eventsIn, textOf } from './fixtures/event-reader.ts'
import { createTestApp, type TestApp, type TestAppOptions } from './fixtures/test-app.ts'

const chat = '/v1/chat/completions'
const request = { model: 'test', messages: [{ role: 'user', content: 'Hi' }], temperature: 0 }
const resumable = { ...request, stream: true, resumable: true }
const endless = { ...resumable, max_tokens: 1_500 }
const reply = () => 'Grüße aus Paris 😀! '.repeat(5)

async function ask(app: TestApp, body: object = resumable, path = chat) {
  const response = await app.post(path, body)
  expect(response.status).toBe(200)
  const id = response.headers.get('x-answer-id')
  if (id === null) throw new Error('The answer is not resumable.')
  return { id, reader: new EventReader(response) }
}

async function resume(app: TestApp, id: string, after?: string | number) {
  const response = await app.get(`/v1/answers/${id}/stream${after === undefined ? '' : `?after=${after}`}`)
  expect(response.status).toBe(200)
  return new EventReader(response)
}

async function wholeText(app: TestApp, path = chat, body: object = request): Promise<string> {
  const json = await readJson(await app.post(path, body))
  return (json.choices[0].message?.content ?? json.choices[0].text) as string
}

async function figures(app: TestApp): Promise<Record<string, number>> {
  const text = await (await app.get('/metrics')).text()
  const lines = text.split('\n').filter((line) => /^petals_chat_(resum|answer|sessions)/.test(line))
  return Object.fromEntries(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice('petals_chat_'.length, space), Number(line.slice(space + 1))]
    }),
  )
}

const errorOf = async (response: Response) => ({
  status: response.status,
  ...((await readJson(response)).error as { code: string; message: string; param: string | null }),
})

/** Until the engine has stopped: how many steps it still made. */
async function stepsUntilStill(app: TestApp): Promise<number> {
  const before = app.engine.steps
  await sleep(60)
  return app.engine.steps - before
}

describe('a resumable answer', () => {
  test('has its id in a header, and in the ids of its events, which count from 1', async () => {
    await using app = createTestApp({ reply })
    const { id, reader } = await ask(app)
    const events = await reader.rest()
    expect(id).toMatch(/^ans_[\w-]{22}$/)
    expect(events.map((event) => event.id)).toEqual(events.map((_, index) => `${id}:${index + 1}`))
    expect(events.at(-1)?.data).toBe('[DONE]')
    expect(textOf(events)).toBe(await wholeText(app))
  })

  test('is one only where the client asks for it', async () => {
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

  test('has to be streamed', async () => {
    await using app = createTestApp()
    const error = await errorOf(await app.post(chat, { ...resumable, stream: false }))
    expect(error).toMatchObject({ status: 400, param: 'resumable', code: 'invalid_value' })
    expect(await errorOf(await app.post(chat, { ...resumable, resumable: 'yes' }))).toMatchObject({
      status: 400,
      param: 'resumable',
    })
    expect(app.engine.steps).toBe(0)
  })

  test('can be read again from any event on, by its number, its id, or the header of an EventSource', async () => {
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

  test('goes on while nobody reads it, and is read to its end by whoever comes back', async () => {
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

  test.each([
    ['chat completions', chat, {}],
    ['chat completions of several choices with log probabilities', chat, { n: 2, logprobs: true }],
    ['completions', '/v1/completions', { prompt: 'Once', max_tokens: 60, messages: undefined }],
  ])('of %s loses and doubles nothing, wherever it is cut', async (_name, path, more) => {
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

  test('ends with its usage and its timings for whoever reads the end', async () => {
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

  test('has several readers at once, each at its own pace', async () => {
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

  test('is not held up by a reader that takes nothing', async () => {
    await using app = createTestApp({ stepDelayMs: 0 })
    const { id, reader } = await ask(app, { ...resumable, max_tokens: 300, logprobs: true, top_logprobs: 20 })
    const tab = await resume(app, id)
    const events = await tab.rest()
    expect(events.at(-1)?.data).toBe('[DONE]')
    expect(JSON.stringify(events).length).toBeGreaterThan(4 * 64 * 1024)
    expect(await reader.rest()).toEqual(events)
  })
})

describe('stopping', () => {
  test.each([
    ['POST', 'cancel'],
    ['DELETE', ''],
  ])('by %s ends the engine within a step, also after a resume', async (method, verb) => {
    await using app = createTestApp({ stepDelayMs: 5 })
    const { id, reader } = await ask(app, endless)
    await reader.readTo(3)
    await reader.cut()
    const tab = await resume(app, id, reader.lastId)
    await tab.readTo(3)
    const before = app.engine.steps
    const response = await app.get(`/v1/answers/${id}${verb && `/${verb}`}`, { method })
    expect(response.status).toBe(200)
    expect(app.engine.steps - before).toBeLessThanOrEqual(1)
    expect(await stepsUntilStill(app)).toBe(0)
    expect(errorCodeOf(await tab.rest())).toBe('answer_cancelled')
    expect(await figures(app)).toMatchObject({
      'sessions{model="test",state="leased"}': 0,
      'resumable_answers{state="running"}': 0,
      'resumable_answers_ended_total{kind="stream",outcome="cancelled"}': 1,
    })
  })

  test('keeps what was written, for a tab that comes back later; deleting does not', async () => {
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

  test('of an answer that is complete changes nothing', async () => {
    await using app = createTestApp({ reply })
    const { id, reader } = await ask(app)
    await reader.rest()
    const response = await app.get(`/v1/answers/${id}/cancel`, { method: 'POST' })
    expect(await readJson(response)).toMatchObject({ outcome: 'complete' })
    expect((await (await resume(app, id)).rest()).at(-1)?.data).toBe('[DONE]')
  })

  test('leaves the queue', async () => {
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

describe('a client that never comes back', () => {
  const config = { answers: { unreadTimeoutMs: 40, keepMs: 80 } }

  test('costs nothing after a while: neither a session nor memory', async () => {
    await using app = createTestApp({ stepDelayMs: 2, config })
    const { id, reader } = await ask(app, endless)
    await reader.readTo(3)
    await reader.cut()
    await vi.waitFor(async () =>
      expect(await figures(app)).toMatchObject({
        'resumable_answers{state="running"}': 0,
        'resumable_answers_ended_total{kind="stream",outcome="expired"}': 1,
        'sessions{model="test",state="leased"}': 0,
      }),
    )
    expect(await stepsUntilStill(app)).toBe(0)
    await vi.waitFor(async () =>
      expect(await figures(app)).toMatchObject({
        'resumable_answers{state="finished"}': 0,
        resumable_answer_bytes: 0,
      }),
    )
    const error = await errorOf(await app.get(`/v1/answers/${id}/stream?after=3`))
    expect(error).toMatchObject({ status: 404, code: 'answer_gone', param: null })
  })

  test('gets what was written and is told why there is no more, when it does come back a little later', async () => {
    await using app = createTestApp({ stepDelayMs: 2, config: { answers: { unreadTimeoutMs: 40 } } })
    const { id, reader } = await ask(app, endless)
    await reader.readTo(3)
    await reader.cut()
    await vi.waitFor(async () =>
      expect(await figures(app)).toMatchObject({ 'resumable_answers{state="running"}': 0 }),
    )
    const events = await (await resume(app, id, reader.lastId)).rest()
    expect(events.length).toBeGreaterThan(5)
    expect(errorCodeOf(events)).toBe('answer_gone')
    expect(events.at(-1)?.data).toContain('nobody read it')
  })

  test('before it has the id stops the engine at once', async () => {
    await using app = createTestApp({ beforeStep: () => new Promise(() => {}) })
    const connection = new AbortController()
    const pending = app.post(chat, endless, { signal: connection.signal })
    await vi.waitFor(() => expect(app.engine.openSessions).toBe(1))
    connection.abort()
    expect((await pending).status).toBe(499)
    await vi.waitFor(() => expect(app.engine.openSessions).toBe(0))
    expect(await figures(app)).toMatchObject({
      'resumable_answers{state="finished"}': 0,
      'resumable_answers_ended_total{kind="stream",outcome="cancelled"}': 1,
    })
  })
})

describe('failures', () => {
  const failAt = (step: number, error: Error): TestAppOptions => ({
    beforeStep: (at) => {
      if (at.step === step) throw error
    },
  })

  test('before the first event have their own status, and leave nothing behind', async () => {
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

  test('in the middle are the last event, for everybody who reads it, now or later', async () => {
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

  test('are logged once, with the request that asked, and without any prompt or id', async () => {
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

  test.each([
    ['?after=-1', 'after', /id of the last event/],
    ['?after=1.5', 'after', /id of the last event/],
    ['?after=abc', 'after', /id of the last event/],
    ['?after=ans_AAAAAAAAAAAAAAAAAAAAAA:1', 'after', /id of the last event/],
    ['?after=99999999999999999999', 'after', /id of the last event/],
    ['?after=100000', 'after', /this answer has \d+ events so far/],
  ])('of %s are said in words', async (query, param, message) => {
    await using app = createTestApp({ reply })
    const { id, reader } = await ask(app)
    await reader.rest()
    const error = await errorOf(await app.get(`/v1/answers/${id}/stream${query}`))
    expect(error).toMatchObject({ status: 400, param, message: expect.stringMatching(message) })
  })

  test.each(['nope', 'ans_AAAAAAAAAAAAAAAAAAAAAA', '__proto__', '..%2F..%2Fmodels', 'a'.repeat(500)])(
    'of the id %s are the same for all that can be done with it',
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

  test('of asking only for the headers don’t hold the answer', async () => {
    await using app = createTestApp({ stepDelayMs: 2, config: { answers: { unreadTimeoutMs: 30 } } })
    const { id, reader } = await ask(app, endless)
    expect((await app.get(`/v1/answers/${id}/stream`, { method: 'HEAD' })).status).toBe(405)
    await reader.cut()
    await vi.waitFor(async () =>
      expect(await figures(app)).toMatchObject({ 'resumable_answers{state="running"}': 0 }),
    )
  })
})

describe('bounds', () => {
  test('where no more can be kept, an answer is a stream like any other', async () => {
    await using app = createTestApp({ stepDelayMs: 2, config: { answers: { maxKept: 1 } } })
    const { id } = await ask(app, endless)
    const response = await app.post(chat, { ...resumable, max_tokens: 3 })
    expect(response.headers.get('x-answer-id')).toBeNull()
    expect(await response.text()).toMatch(/^data: [^]*data: \[DONE\]\n\n$/)
    await app.get(`/v1/answers/${id}/cancel`, { method: 'POST' })
    await ask(app)
    expect((await app.get(`/v1/answers/${id}/stream`)).status).toBe(404)
  })

  test('a long answer that nobody takes stays within its bytes; who comes back late is told what is gone', async () => {
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
      message: expect.stringMatching(/^Parts 1 to \d+ of this answer are not kept any more\./),
    })
  })
})

describe('a server that stops', () => {
  test('tells the readers of answers that take too long, after all that was written', async () => {
    const app = createTestApp({ stepDelayMs: 2 })
    const { reader } = await ask(app, endless)
    await reader.readTo(4)
    await app[Symbol.asyncDispose]()
    const events = await reader.rest()
    expect(errorCodeOf(events)).toBe('shutting_down')
    expect(events.map(({ id }) => id?.split(':')[1])).toEqual(events.map((_, index) => String(index + 1)))
  })
})
