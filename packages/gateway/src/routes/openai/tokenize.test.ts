import { detokenizeResponseSchema, tokenizeResponseSchema } from '@petals-chat/api'
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
