import { expect, it } from 'vitest'
import OpenAI from 'openai'
import type { AccessLimits } from '@petals-chat/api'
import { eventually, readJson } from '../../fixtures/test-gateway.ts'
import { startTestServer } from '../../fixtures/test-server.ts'
import { createTestApp } from './fixtures/test-app.ts'

const limited = (perAddress: AccessLimits) => ({ config: { limits: { perAddress } } })

const chat = (fields: object = {}) => ({
  model: 'test',
  messages: [{ role: 'user', content: 'Hi' }],
  max_tokens: 5,
  ...fields,
})

const tokensOf = async (response: Response): Promise<number> =>
  (await readJson(response)).usage.total_tokens as number

it('without limits, no response speaks of any', async () => {
  await using app = createTestApp()
  const response = await app.post('/v1/chat/completions', chat())
  expect(response.status).toBe(200)
  expect([...response.headers.keys()].filter((name) => name.startsWith('x-ratelimit'))).toEqual([])
})

it.each([
  ['/v1/chat/completions', chat()],
  ['/v1/completions', { model: 'test', prompt: 'Hi', max_tokens: 2 }],
  ['/v1/embeddings', { model: 'test', input: 'Hi' }],
  ['/v1/tokenize', { model: 'test', prompt: 'Hi' }],
  ['/api/v1/generate', { model: 'test', inputs: 'Hi', max_new_tokens: 2 }],
])('%s: requests in a minute are counted and refused with the time to go on', async (path, body) => {
  await using app = createTestApp(limited({ requestsPerMinute: 1 }))
  const allowed = await app.post(path, body)
  expect(allowed.status).toBe(200)
  expect(Object.fromEntries(allowed.headers)).toMatchObject({
    'x-ratelimit-limit-requests': '1',
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': expect.stringMatching(/^(1m0s|\d+s)$/),
  })
  const refused = await app.post(path, body)
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0')
  const text = await refused.text()
  expect(text).toContain('Your address may use at most 1 requests in a minute')
  expect((await app.get('/v1/models')).status).toBe(200)
})

it('counts the tokens that answers report, streamed or not, and gives back what they have not used', async () => {
  await using app = createTestApp({ ...limited({ tokensPerMinute: 1_000 }), reply: () => 'Yes.' })
  const remaining = (response: Response) => Number(response.headers.get('x-ratelimit-remaining-tokens'))
  const used = await tokensOf(await app.post('/v1/chat/completions', chat({ max_tokens: 500 })))
  const { events } = await app.stream('/v1/chat/completions', {
    ...chat({ max_tokens: 100 }),
    stream_options: { include_usage: true },
  })
  const streamed = events.at(-1).usage.total_tokens as number
  const several = await tokensOf(await app.post('/v1/chat/completions', chat({ n: 3 })))
  const response = await app.post('/v1/embeddings', { model: 'test', input: ['Hi', 'there'] })
  expect(remaining(response)).toBe(1_000 - used - streamed - several - (await tokensOf(response)))
})

it('refuses when the tokens are used up, in a stream too, and prompts that never fit with 400', async () => {
  await using app = createTestApp({ ...limited({ tokensPerMinute: 60 }) })
  const long = await app.post('/v1/completions', { model: 'test', prompt: ['a'.repeat(40), 'b'.repeat(40)] })
  expect(long.status).toBe(400)
  expect((await readJson(long)).error).toMatchObject({ code: 'context_length_exceeded' })
  await app.post('/v1/completions', {
    model: 'test',
    prompt: 'a'.repeat(40),
    max_tokens: 20,
    ignore_eos: true,
  })
  for (const stream of [false, true]) {
    const refused = await app.post('/v1/chat/completions', chat({ stream }))
    expect(refused.status).toBe(429)
    expect((await readJson(refused)).error).toMatchObject({
      type: 'rate_limit_error',
      code: 'rate_limit_exceeded',
      message: expect.stringContaining('60 tokens in a minute (tokensPerMinute)'),
    })
    expect(refused.headers.get('x-ratelimit-remaining-tokens')).toBe('0')
  }
})

it.each([
  ['/v1/chat/completions', chat({ n: 4, max_tokens: 30 })],
  ['/v1/chat/completions', chat({ n: 4, max_tokens: 30, stream: true })],
  ['/v1/completions', { model: 'test', prompt: ['a', 'b', 'c', 'd'], max_tokens: 30 }],
])('%s: all answers of a request count before it begins', async (path, body) => {
  await using app = createTestApp({ ...limited({ tokensPerMinute: 60 }) })
  const refused = await app.post(path, body)
  expect(refused.status).toBe(400)
  expect((await readJson(refused)).error).toMatchObject({
    param: 'max_tokens',
    message: expect.stringMatching(/60 tokens in a minute.* 120 together/),
  })
  expect((await app.post(path, { ...body, max_tokens: 2 })).status).toBe(200)
})

it('limits answers that run at the same time, and frees them when a client leaves', async () => {
  await using server = await startTestServer({ ...limited({ parallelAnswers: 1 }), stepDelayMs: 20 })
  const request = (signal?: AbortSignal) =>
    fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(chat({ stream: true, max_tokens: 1_000 })),
      headers: { 'content-type': 'application/json' },
      ...(signal && { signal }),
    })
  const leaving = new AbortController()
  const running = await request(leaving.signal)
  expect(running.status).toBe(200)
  const refused = await request()
  expect(refused.status).toBe(429)
  expect(await refused.text()).toContain('at most 1 answers at the same time')
  leaving.abort()
  await expect
    .poll(async () => {
      const next = await request(AbortSignal.timeout(2_000))
      await next.body?.cancel()
      return next.status
    })
    .toBe(200)
})

it('bounds the context of a caller: answers are shorter, and longer prompts are refused', async () => {
  await using app = createTestApp(limited({ maxContext: 64 }))
  const answer = await readJson(
    await app.post('/v1/completions', {
      model: 'test',
      prompt: 'a'.repeat(60),
      max_tokens: 50,
      ignore_eos: true,
    }),
  )
  expect(answer.usage.total_tokens).toBe(64)
  for (const [path, field] of [
    ['/v1/completions', 'prompt'],
    ['/api/v1/generate', 'inputs'],
  ] as const) {
    const refused = await app.post(path, { model: 'test', [field]: 'a'.repeat(65), max_new_tokens: 1 })
    expect(await refused.text()).toMatch(/context_length_exceeded|Maximum length exceeded/)
  }
})

it('counts every message of a WebSocket, and says on it when a limit is reached', async () => {
  await using server = await startTestServer(limited({ requestsPerMinute: 2 }))
  using client = await server.connect()
  await client.startSession(512)
  for (let message = 0; message < 2; message++)
    expect(await client.generate({ inputs: 'Hi', max_new_tokens: 3 })).toMatchObject([
      { ok: true, stop: true },
    ])
  const [refused] = await client.generate({ inputs: 'Hi', max_new_tokens: 3 })
  expect(refused).toMatchObject({ ok: false, traceback: expect.stringContaining('2 requests in a minute') })
  expect(await server.figure('petals_chat_refused_requests_total{limit="requestsPerMinute"}')).toBe(1)
})

it('bounds the context of a WebSocket session', async () => {
  await using server = await startTestServer(limited({ maxContext: 64 }))
  using client = await server.connect()
  expect(await client.startSession(65)).toMatchObject({ ok: false })
})

it("OpenAI's client reads the limits, waits, and goes on by itself", async () => {
  await using server = await startTestServer(limited({ requestsPerMinute: 1 }))
  const waits: string[] = []
  const client = new OpenAI({
    apiKey: 'any',
    baseURL: `${server.url}/v1`,
    maxRetries: 0,
    fetch: async (...request) => {
      const response = await fetch(...request)
      if (response.status === 429) waits.push(response.headers.get('retry-after-ms')!)
      return response
    },
  })
  const ask = () =>
    client.chat.completions.create({
      model: 'test',
      messages: [{ role: 'user', content: 'Hi' }],
      max_tokens: 2,
    })
  const { response } = await ask().withResponse()
  expect(response.headers.get('x-ratelimit-limit-requests')).toBe('1')
  await expect(ask()).rejects.toThrow(OpenAI.RateLimitError)
  expect(Number(waits[0])).toBeGreaterThan(0)
  expect(Number(waits[0])).toBeLessThanOrEqual(60_000)
})

it('answers a refused request without reading its body or running the model', async () => {
  await using server = await startTestServer(limited({ requestsPerMinute: 1 }))
  const send = (body: string) => server.send(`${head(body.length)}${body}`)
  const head = (length: number) =>
    `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n` +
    `content-length: ${length}\r\nconnection: close\r\n\r\n`
  expect(await send(JSON.stringify(chat()))).toContain('HTTP/1.1 200')
  const { steps } = server.engine
  expect(await send('{"not": "JSON"')).toContain('HTTP/1.1 429')
  await eventually(() => server.engine.steps === steps)
})
