import { errorSchema } from '@petals-chat/api'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CapacityError,
  ContextLengthError,
  GenerationFailedError,
  InvalidRequestError,
  MissingBlocksError,
  ModelUnavailableError,
  type GenerateOptions,
} from '@petals-chat/engine'
import { describe, expect, it, vi } from 'vitest'
import { readJson } from '../../fixtures/test-gateway.ts'
import { otherSteps, untilIdle } from './fixtures/answers.ts'
import { createTestApp, readEvents, type TestApp, type TestAppOptions } from './fixtures/test-app.ts'

const path = '/v1/chat/completions'
const request = { model: 'test', messages: [{ role: 'user', content: 'Hi' }], temperature: 0 }

async function answerOf(app: TestApp, body: unknown = request) {
  const response = await app.post(path, body)
  const { error } = errorSchema.parse(await response.json())
  return { status: response.status, headers: response.headers, ...error }
}

describe('errors', () => {
  const failing = (error: Error): TestAppOptions => ({
    beforeStep: () => {
      throw error
    },
  })

  it.each([
    [
      new InvalidRequestError('No.', { param: 'stop' }),
      400,
      'invalid_request_error',
      'invalid_request',
      'stop',
    ],
    [new ContextLengthError(9, 5), 400, 'invalid_request_error', 'context_length_exceeded', null],
    [new CapacityError('Full.', { retryAfterMs: 2500 }), 429, 'rate_limit_error', 'capacity', null],
    [new ModelUnavailableError('Down.'), 503, 'server_error', 'model_unavailable', null],
    [new MissingBlocksError([3], 'Blocks 3 are missing.'), 503, 'server_error', 'missing_blocks', null],
    [new GenerationFailedError('Broken.'), 502, 'server_error', 'generation_failed', null],
  ])('%o of the engine has OpenAI’s shape', async (error, status, type, code, param) => {
    await using app = createTestApp(failing(error))
    expect(await answerOf(app)).toMatchObject({ status, type, code, param, message: error.message })
    const streamed = await app.post(path, { ...request, stream: true })
    expect(streamed.status).toBe(status)
  })

  it('of a full server say when to try again', async () => {
    await using app = createTestApp(failing(new CapacityError('Full.', { retryAfterMs: 2500 })))
    const { headers } = await answerOf(app)
    expect([headers.get('retry-after'), headers.get('retry-after-ms')]).toEqual(['3', '2500'])
  })

  it('that are unexpected show only the request id', async () => {
    const logged = vi.fn()
    const logger = { debug() {}, info() {}, warn() {}, error: logged, child: () => logger }
    await using app = createTestApp({ ...failing(new TypeError('/secret/path')), logger })
    const error = await answerOf(app)
    expect(error).toMatchObject({ status: 500, type: 'server_error', code: 'internal_error' })
    expect(error.message).toContain(error.headers.get('x-request-id'))
    expect(error.message).not.toContain('secret')
    expect(logged).toHaveBeenCalled()
  })

  it('of a model that can’t be loaded', async () => {
    await using app = createTestApp({
      beforeLoad: () => {
        throw new ModelUnavailableError('Accept the licence first.')
      },
    })
    expect(await answerOf(app)).toMatchObject({ status: 503, message: 'Accept the licence first.' })
  })

  it('of an unknown model name the known models', async () => {
    await using app = createTestApp({ config: { unknownModel: 'refuse' } })
    expect(await answerOf(app, { ...request, model: 'gpt-4' })).toMatchObject({
      status: 404,
      type: 'invalid_request_error',
      code: 'model_not_found',
      param: 'model',
      message: expect.stringMatching(/gpt-4.*test/),
    })
  })

  it('of a prompt that is too long', async () => {
    await using app = createTestApp({ contextLength: 64 })
    const long = [{ role: 'user', content: 'x'.repeat(100) }]
    const error = await answerOf(app, { ...request, messages: long, max_tokens: 1 })
    expect(error).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      type: 'invalid_request_error',
    })
    expect(error.message).toMatch(/maximum context length is 64 tokens.*your prompt has \d+ tokens/)
    expect(app.engine.steps).toBe(0)
  })

  it('of a session that is longer than the config allows', async () => {
    await using app = createTestApp({ specs: [{ maxSessionLength: 16 }] })
    const messages = [{ role: 'user', content: 'A question of 27 characters' }]
    expect(await answerOf(app, { ...request, messages, max_tokens: 1 })).toMatchObject({
      code: 'context_length_exceeded',
    })
  })

  it('of too many choices', async () => {
    await using app = createTestApp({ config: { maxChoices: 2 } })
    expect(await answerOf(app, { ...request, n: 3 })).toMatchObject({ status: 400, param: 'n' })
  })

  it('of models that only the pages of this server may use', async () => {
    await using app = createTestApp({ reply: () => 'Hi.', specs: [{ publicApi: false }] })
    expect(await answerOf(app)).toMatchObject({
      status: 403,
      type: 'permission_error',
      code: 'model_restricted',
    })
    const headers = { origin: 'http://localhost', host: 'localhost', 'content-type': 'application/json' }
    const fromPage = await app.post(path, request, { headers })
    expect(fromPage.status).toBe(200)
  })

  it('of paths and methods', async () => {
    await using app = createTestApp()
    expect((await app.get('/v1/nothing')).status).toBe(404)
    expect((await app.get(path)).status).toBe(405)
  })
})

describe('parameters that can’t be honoured', () => {
  it.each([
    ['functions', [{ name: 'f' }]],
    ['function_call', 'auto'],
    ['modalities', ['text', 'audio']],
    ['audio', { voice: 'alloy' }],
    ['web_search_options', {}],
    ['verbosity', 'high'],
    ['suffix', 'end'],
    ['guided_whitespace_pattern', ' '],
    ['mirostat', 2],
    ['repeat_last_n', 128],
    ['do_sample', false],
    ['min_tokens', 5],
  ])('%s is refused by name', async (param, value) => {
    await using app = createTestApp()
    const error = await answerOf(app, { ...request, [param]: value })
    expect(error).toMatchObject({
      status: 400,
      type: 'invalid_request_error',
      param,
      code: 'unsupported_parameter',
    })
    expect(error.message).toContain(`'${param}'`)
    expect(app.engine.steps).toBe(0)
  })

  it('are accepted with values that switch them off, like those that only concern other servers', async () => {
    await using app = createTestApp({ reply: () => 'Hi.' })
    const harmless = {
      functions: null,
      modalities: ['text'],
      verbosity: 'medium',
      mirostat: 0,
      repeat_last_n: 64,
      do_sample: true,
      id_slot: 0,
      chat_id: 'c',
      store: true,
      metadata: { a: 'b' },
      user: 'me',
      service_tier: 'auto',
      prediction: { type: 'content', content: 'Hi.' },
      parallel_tool_calls: false,
    }
    expect((await app.post(path, { ...request, ...harmless })).status).toBe(200)
  })
})

describe('a prediction of the answer', () => {
  const given = { type: 'content', content: [{ type: 'text', text: 'Hi.' }] }

  it('reaches the engine, with the length of the answer, and changes nothing else', async () => {
    const seen: GenerateOptions[] = []
    await using app = createTestApp({ reply: () => 'Hi.', onGenerate: (options) => seen.push(options) })
    const plain = await readJson(await app.post(path, { ...request, max_tokens: 7 }))
    const predicted = await readJson(await app.post(path, { ...request, max_tokens: 7, prediction: given }))
    expect(predicted.choices).toEqual(plain.choices)
    expect(predicted.usage).toMatchObject({ completion_tokens: plain.usage.completion_tokens })
    await app.post('/v1/completions', { model: 'test', prompt: 'Hi', prediction: given })
    const expected = [...Buffer.from('Hi.')]
    expect(seen.map(({ prediction }) => prediction)).toEqual([undefined, expected, expected])
    expect(seen.slice(0, 2).map(({ maxNewTokens }) => maxNewTokens)).toEqual([7, 7])
  })

  it('is refused where it is not one', async () => {
    await using app = createTestApp()
    const prediction = { type: 'content', content: [{ type: 'image_url' }] }
    const response = await app.post(path, { ...request, prediction })
    expect(response.status).toBe(400)
    expect((await readJson(response)).error.param).toMatch(/^prediction/)
  })
})

describe('a client that disconnects', () => {
  const slow = { stepDelayMs: 5 }
  const endless = { ...request, max_tokens: 1000 }

  async function stepsStop(app: TestApp) {
    const before = app.engine.steps
    await sleep(60)
    expect(app.engine.steps - before).toBeLessThanOrEqual(1)
  }

  it('stops the engine within a step while it decodes', async () => {
    await using app = createTestApp(slow)
    const response = await app.post(path, { ...endless, stream: true })
    const reader = response.body!.getReader()
    for (let count = 0; count < 5; count++) await reader.read()
    await reader.cancel()
    await stepsStop(app)
    expect(app.engine.steps).toBeLessThan(40)
    // The session is free again: the next answer does not wait.
    expect((await app.post(path, { ...request, max_tokens: 1 })).status).toBe(200)
  })

  it.each([true, false])('stops the engine by its connection’s signal (stream: %s)', async (stream) => {
    await using app = createTestApp(slow)
    const connection = new AbortController()
    const response = app.post(path, { ...endless, stream }, { signal: connection.signal })
    const end = response.then(async (answer) => (stream ? (await readEvents(answer)).done : answer.status))
    await vi.waitFor(() => expect(app.engine.steps).toBeGreaterThan(3))
    connection.abort()
    await stepsStop(app)
    expect(await end).toBe(stream ? false : 499)
  })

  it('stops the engine in the prefill', async () => {
    let begun = false
    await using app = createTestApp({
      beforeStep: () => {
        begun = true
        return new Promise(() => {})
      },
    })
    const connection = new AbortController()
    const pending = app.post(path, endless, { signal: connection.signal })
    await vi.waitFor(() => expect(begun).toBe(true))
    connection.abort()
    expect((await pending).status).toBe(499)
    await untilIdle(app)
    expect(app.engine.openSessions).toBe(0)
  })

  it('leaves the queue', async () => {
    await using app = createTestApp({ ...slow, maxSessions: 1 })
    const running = await app.post(path, { ...endless, stream: true })
    const connection = new AbortController()
    const waiting = app.post(path, endless, { signal: connection.signal })
    await sleep(20)
    connection.abort()
    expect((await waiting).status).toBe(499)
    await running.body!.cancel()
    await stepsStop(app)
    expect(app.engine.sessionsOpened).toBe(1)
  })

  it('does not end the loading of the model for other clients', async () => {
    const { promise: loaded, resolve } = Promise.withResolvers<void>()
    await using app = createTestApp({ reply: () => 'Hi.', beforeLoad: () => loaded })
    const connection = new AbortController()
    const leaving = app.post(path, request, { signal: connection.signal })
    const staying = app.post(path, request)
    await vi.waitFor(() => expect(app.engine.loads).toBe(1))
    connection.abort()
    expect((await leaving).status).toBe(499)
    resolve()
    expect((await staying).status).toBe(200)
    expect(app.engine.loads).toBe(1)
  })

  it('leaves no session behind after 200 times', async () => {
    await using app = createTestApp({ maxSessions: 2 })
    for (let round = 0; round < 200; round++) {
      const response = await app.post(path, { ...endless, stream: true })
      const reader = response.body!.getReader()
      await reader.read()
      await reader.cancel()
    }
    expect(await otherSteps(app)).toBe(0)
  })
})

describe('a server that stops', () => {
  it('ends running streams with an error event', async () => {
    const app = createTestApp({ stepDelayMs: 5 })
    const response = await app.post(path, { ...request, max_tokens: 1000, stream: true })
    const reading = readEvents(response)
    await sleep(20)
    await app[Symbol.asyncDispose]()
    const { events, done } = await reading
    expect(done).toBe(false)
    expect(events.at(-1)).toMatchObject({ error: { code: 'shutting_down', type: 'server_error' } })
  })
})
