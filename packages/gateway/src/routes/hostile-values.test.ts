import { chatRequestSchema, completionRequestSchema } from '@petals-chat/api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type TestServer } from '../fixtures/test-server.ts'

/** As JSON, because some of them are no values of JavaScript. */
const values = [
  ...[
    '-1',
    '0',
    '1e308',
    '-1e308',
    '1e999',
    '9007199254740992',
    '9223372036854775808',
    '0.5',
    '-0',
    '1e-320',
  ],
  ...['"1"', '"NaN"', '"Infinity"', '""', '"\\ud800"', '"\\u0000"', '"0x10"', 'true', 'null'],
  ...['[]', '{}', '[null]', '[[]]', '{"__proto__":1}', '{"constructor":{"prototype":1}}', '["__proto__"]'],
]

const legacyFields = [
  'inputs',
  'model',
  'max_length',
  'max_new_tokens',
  'do_sample',
  'temperature',
  'top_k',
  'top_p',
  'repetition_penalty',
]
const socketFields = [...legacyFields, 'stop_sequence', 'extra_stop_sequences', 'petals', 'type']

/** Replaces one field of a body by a text of JSON. */
function withField(body: object, field: string, json: string): string {
  const marker = '@@value@@'
  return JSON.stringify({ ...body, [field]: marker }).replace(`"${marker}"`, () => json)
}

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ contextLength: 128 })
})
afterAll(() => server[Symbol.asyncDispose]())

const post = async (path: string, body: string): Promise<Response> =>
  server.app.request(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body })

describe('every field with values that no client means', () => {
  it.each([
    [
      '/v1/chat/completions',
      chatRequestSchema,
      { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 },
    ],
    ['/v1/completions', completionRequestSchema, { prompt: 'Hi', max_tokens: 1 }],
  ])('%s answers, or names the field and leaves the engine alone', async (path, schema, sane) => {
    for (const field of Object.keys(schema.shape)) {
      for (const json of values) {
        const before = server.engine.steps
        const response = await post(path, withField(sane, field, json))
        const text = await response.text()
        if (response.status === 200) continue
        const { error } = JSON.parse(text) as { error: { param: string | null; message: string } }
        expect([response.status, text], `${field}: ${json}`).toEqual([expect.toBeOneOf([400, 404]), text])
        expect(`${error.param} ${error.message}`, `${field}: ${json}`).toContain(field)
        expect(server.engine.steps - before, `${field}: ${json}`).toBe(0)
      }
    }
  })

  it('/api/v1/generate answers, or names the field', async () => {
    for (const field of legacyFields) {
      for (const json of values) {
        const response = await post(
          '/api/v1/generate',
          withField({ inputs: 'Hi', max_new_tokens: 1 }, field, json),
        )
        const body = (await response.json()) as { ok: boolean; traceback?: string }
        expect(response.status, `${field}: ${json}`).toBeOneOf([200, 400, 404])
        if (!body.ok)
          expect(body.traceback, `${field}: ${json}`).toMatch(new RegExp(`${field}|inputs|length`))
      }
    }
  })

  it('/api/v2/generate answers, or says what is wrong', async () => {
    for (const field of socketFields) {
      for (const json of values) {
        const client = await server.connect()
        await client.startSession(32)
        const sane = { type: 'generate', inputs: 'Hi', max_new_tokens: 1 }
        client.send(withField(sane, field, json))
        const answer = await client.next()
        expect(answer, `${field}: ${json}`).toBeDefined()
        if (!answer.ok) expect(answer.traceback, `${field}: ${json}`).not.toMatch(/unexpected error/)
        client[Symbol.dispose]()
      }
    }
  })
})

describe('stop sequences', () => {
  const texts = JSON.stringify(Array.from({ length: 10_000 }, (_, index) => `stop ${index}`))

  it.each(['/v1/chat/completions', '/v1/completions'])('are bounded in number: %s', async (path) => {
    const sane = path.includes('chat') ? { messages: [{ role: 'user', content: 'Hi' }] } : { prompt: 'Hi' }
    const response = await post(path, withField(sane, 'stop', texts))
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('stop')
  })

  it('are bounded in number: /api/v2/generate', async () => {
    const client = await server.connect()
    await client.startSession(32)
    client.send(withField({ type: 'generate', inputs: 'Hi' }, 'extra_stop_sequences', texts))
    expect(await client.next()).toMatchObject({ ok: false, traceback: expect.stringContaining('stop') })
  })
})
