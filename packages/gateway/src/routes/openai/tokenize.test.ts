import {
  detokenizeResponseSchema,
  propsSchema,
  tokenizeResponseSchema,
  tokenizerInfoSchema,
} from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp } from './fixtures/test-app.ts'

async function call(path: string, body: object) {
  await using app = createTestApp()
  const response = await app.post(path, { model: 'test', ...body })
  return { status: response.status, json: (await response.json()) as { error?: { param: string } } }
}

const bos = 256

describe('/v1/tokenize', () => {
  it('encodes a text, with or without special tokens', async () => {
    const { json } = await call('/v1/tokenize', { prompt: 'Hé', return_token_strs: true })
    expect(tokenizeResponseSchema.parse(json)).toEqual({
      count: 4,
      max_model_len: 2048,
      tokens: [bos, 72, 195, 169],
      token_strs: ['<s>', 'H', '\ufffd', '\ufffd'],
    })
    expect((await call('/v1/tokenize', { content: 'H', add_special_tokens: false })).json).toMatchObject({
      tokens: [72],
    })
  })

  it('encodes a dialogue exactly as chat completions do', async () => {
    const messages = [{ role: 'user', content: 'Hi' }]
    const { json } = await call('/v1/tokenize', { messages })
    await using app = createTestApp({ reply: () => 'Hi.' })
    const chat = await app.post('/v1/chat/completions', { model: 'test', messages })
    const { usage } = (await chat.json()) as { usage: { prompt_tokens: number } }
    expect(json).toMatchObject({ count: usage.prompt_tokens })
    expect((await call('/v1/tokenize', { messages, add_generation_prompt: false })).json).toMatchObject({
      count: usage.prompt_tokens - 1,
    })
  })

  it.each([
    [{}],
    [{ prompt: 'a', content: 'a' }],
    [{ prompt: 'a', messages: [{ role: 'user', content: 'a' }] }],
  ])('refuses %j', async (body) => {
    const { status, json } = await call('/v1/tokenize', body)
    expect([status, json.error?.param]).toEqual([400, 'prompt'])
  })
})

describe('/v1/detokenize', () => {
  it('returns the text', async () => {
    const { json } = await call('/v1/detokenize', { tokens: [bos, 72, 195, 169] })
    expect(detokenizeResponseSchema.parse(json)).toEqual({ prompt: '<s>Hé', content: '<s>Hé' })
    const skipped = await call('/v1/detokenize', { tokens: [bos, 72], skip_special_tokens: true })
    expect(skipped.json).toMatchObject({ content: 'H' })
    expect((await call('/v1/detokenize', { tokens: [] })).json).toMatchObject({ content: '' })
  })

  it.each([
    [[-1], 'tokens[0]'],
    [[1, 5000], 'tokens[1]'],
    ['1', 'tokens'],
  ])('refuses %j', async (tokens, param) => {
    const { status, json } = await call('/v1/detokenize', { tokens })
    expect([status, json.error?.param]).toEqual([400, param])
  })
})

describe('the paths of llama-server and vLLM', () => {
  it('tokenize and detokenize as below /v1', async () => {
    for (const body of [
      { prompt: 'Hé', add_special_tokens: false },
      { content: 'Hé', add_special: false },
    ])
      expect((await call('/tokenize', body)).json).toEqual((await call('/v1/tokenize', body)).json)
    const { json } = await call('/detokenize', { tokens: [72, 105] })
    expect(detokenizeResponseSchema.parse(json)).toEqual({ prompt: 'Hi', content: 'Hi' })
  })

  it('describe the tokenizer', async () => {
    await using app = createTestApp({ specs: [{ maxSessionLength: 512 }] })
    const info = tokenizerInfoSchema.strict().parse(await (await app.get('/tokenizer_info')).json())
    expect(info).toMatchObject({
      model: 'test',
      model_max_length: 512,
      bos_token: '<s>',
      chat_template: expect.stringContaining('add_generation_prompt') as string,
    })
    const { json } = await call('/tokenize', { prompt: info.eos_token, add_special_tokens: false })
    expect(tokenizeResponseSchema.parse(json).count).toBe(1)
    expect((await app.get('/tokenizer_info?model=nothing')).status).toBe(200)
  })

  it('describe the server, more of it once the model is loaded, and load nothing', async () => {
    await using app = createTestApp({ specs: [{ generation: { temperature: 0.7 } }, { id: 'two' }] })
    const props = async (query = '') =>
      propsSchema.strict().parse(await (await app.get(`/props${query}`)).json())
    const before = await props()
    expect(before).toMatchObject({
      model_alias: 'test',
      default_generation_settings: { params: { temperature: 0.7 } },
      total_slots: 256,
    })
    expect(before.default_generation_settings.n_ctx).toBeUndefined()
    expect(app.engine.loads).toBe(0)
    await app.post('/tokenize', { model: 'test', prompt: 'x' })
    expect(await props()).toMatchObject({ default_generation_settings: { n_ctx: 2048 }, bos_token: '<s>' })
    expect((await props('?model=two')).model_alias).toBe('two')
    expect((await props('?model=')).model_alias).toBe(before.model_alias)
    expect((await app.get('/props?model=nothing')).status).toBe(404)
  })

  it('are closed to pages of other sites', async () => {
    await using app = createTestApp()
    const headers = { host: 'localhost', origin: 'https://evil.example' }
    for (const path of ['/tokenizer_info', '/props', '//props/'])
      expect((await app.get(`http://localhost${path}`, { headers })).status).toBe(403)
    for (const path of ['/tokenize', '/detokenize'])
      expect((await app.post(`http://localhost${path}`, '{"prompt":"Hi"}', { headers })).status).toBe(403)
    expect(app.engine.loads).toBe(0)
  })
})
