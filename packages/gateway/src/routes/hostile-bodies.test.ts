import { cpuMs } from '@petals-chat/engine/testing'
import { describe, expect, it } from 'vitest'
import { createTestApp } from './openai/fixtures/test-app.ts'

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const many = (text: string, count: number) => `[${`${text},`.repeat(count - 1)}${text}]`
const keys = (prefix: string, count: number) =>
  `{${Array.from({ length: count }, (_, index) => `"${prefix}${index}":1`).join()}}`
const chat = (fields: string) => `{"model":"test","messages":[{"role":"user","content":"Hi"}],${fields}}`
const messages = (list: string) => `{"model":"test","messages":${list}}`
const content = (value: string) => messages(`[{"role":"user","content":${value}}]`)
const prompt = (value: string) => `{"model":"test","prompt":${value}}`
const input = (value: string) => `{"model":"test","input":${value}}`

const form = 'application/x-www-form-urlencoded'
const multipart = 'multipart/form-data; boundary=x'
const part = '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n\r\n'

/** No more than this process may stand still for one request of 4 MB, on a slow and busy machine. */
const PATIENCE_MS = 4_000

/** Each of these once stopped the process for up to two minutes, took a gigabyte, or was a fault of its own. */
describe('bodies that are made to keep the server busy', () => {
  it.each([
    ['an unsupported field, deeply nested', '/v1/chat/completions', chat(`"mirostat":${nested(500_000)}`)],
    ['an enum, deeply nested', '/v1/chat/completions', chat(`"reasoning_format":${nested(500_000)}`)],
    ['an ignored field, deeply nested', '/v1/chat/completions', chat(`"metadata":${nested(500_000)}`)],
    ['wrong content parts', '/v1/chat/completions', content(many('{}', 1_000_000))],
    ['wrong content parts, as many as go', '/v1/chat/completions', content(many('{}', 49_000))],
    ['numbers for content parts', '/v1/chat/completions', content(many('1', 2_000_000))],
    ['numbers for messages', '/v1/chat/completions', messages(many('1', 2_000_000))],
    ['wrong keys of logit_bias', '/v1/chat/completions', chat(`"logit_bias":${keys('x', 200_000)}`)],
    ['wrong keys, as many as go', '/v1/chat/completions', chat(`"logit_bias":${keys('x', 49_000)}`)],
    ['a message of 4 MB', '/v1/chat/completions', content(`"${'a'.repeat(4_000_000)}"`)],
    ['half surrogates', '/v1/chat/completions', content(`"${'\\ud800'.repeat(600_000)}"`)],
    ['texts for prompts', '/v1/completions', prompt(many('"a"', 1_000_000))],
    ['token ids', '/v1/completions', prompt(many('1', 2_000_000))],
    ['negative token ids', '/v1/completions', prompt(many('-1', 1_000_000))],
    ['token ids and a text', '/v1/completions', prompt(`["a",${'1,'.repeat(2_000_000)}1]`)],
    ['lists of token ids', '/v1/completions', prompt(many('[1]', 500_000))],
    ['a prompt of 4 MB', '/v1/completions', prompt(`"${'a'.repeat(4_000_000)}"`)],
    ['inputs of embeddings', '/v1/embeddings', input(many('{}', 1_000_000))],
    ['a text to tokenize', '/v1/tokenize', prompt(`"${' '.repeat(4_000_000)}"`)],
    ['a form of fields without values', '/api/v1/generate', 'a&'.repeat(2_000_000), form],
    ['a form of parts', '/api/v1/generate', `${part.repeat(70_000)}--x--\r\n`, multipart],
    ['deeply nested inputs', '/api/v1/generate', `{"inputs":${nested(1_000_000)}}`],
    ['a deeply nested number', '/api/v1/generate', `{"max_new_tokens":${nested(1_000_000)}}`],
    ['inputs of 4 MB', '/api/v1/generate', `{"max_new_tokens":1,"inputs":"${'a'.repeat(4_000_000)}"}`],
  ])('%s', async (_name, path, body, type = 'application/json') => {
    await using app = createTestApp()
    const startedAt = cpuMs()
    const response = await app.post(path, body, { headers: { 'content-type': type } })
    const text = await response.text()
    expect(cpuMs() - startedAt).toBeLessThan(PATIENCE_MS)
    expect(response.status, text.slice(0, 200)).toBe(400)
    expect(text.length).toBeLessThan(1_000)
    expect(app.engine.steps).toBe(0)
  })

  it('repeat nothing that is long', async () => {
    await using app = createTestApp({ config: { unknownModel: 'refuse' } })
    const name = 'a'.repeat(4_000_000)
    for (const [path, body] of [
      ['/v1/chat/completions', `{"model":"${name}","messages":[{"role":"user","content":"Hi"}]}`],
      ['/v1/chat/completions', content(`[{"type":"${name}"}]`)],
      ['/api/v1/generate', `{"model":"${name}","max_new_tokens":1}`],
      ['/api/v1/generate', `{"max_new_tokens":"${name}"}`],
    ] as const) {
      expect((await (await app.post(path, body)).text()).length).toBeLessThan(2_000)
    }
  })

  it('are told from long requests that mean it', async () => {
    await using app = createTestApp({ reply: () => 'Hi.', contextLength: 400_000 })
    const turns = Array.from({ length: 9_999 }, (_, index) => ({
      role: index % 2 === 0 ? 'user' : 'assistant',
      content: 'Hello',
    }))
    const long = await app.post('/v1/chat/completions', { model: 'test', messages: turns, max_tokens: 1 })
    expect(long.status).toBe(200)
    const ids = Array.from({ length: 100_000 }, (_, index) => index % 256)
    const tokens = await app.post('/v1/completions', { model: 'test', prompt: [ids, ids], max_tokens: 1 })
    expect(tokens.status).toBe(200)
  })
})
