import { embeddingResponseSchema } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp } from './fixtures/test-app.ts'

const path = '/v1/embeddings'

async function embed(body: object) {
  await using app = createTestApp()
  const response = await app.post(path, { model: 'test', ...body })
  const json: unknown = await response.json()
  expect(response.status, JSON.stringify(json)).toBe(200)
  return embeddingResponseSchema.parse(json)
}

describe('/v1/embeddings', () => {
  it('returns a vector of length 1 for each input', async () => {
    const { data, usage, model } = await embed({ input: ['one', 'two'] })
    expect(model).toBe('test')
    expect(data.map(({ index }) => index)).toEqual([0, 1])
    for (const { embedding } of data) expect(Math.hypot(...(embedding as number[]))).toBeCloseTo(1, 5)
    expect(data[0]!.embedding).not.toEqual(data[1]!.embedding)
    expect(usage).toEqual({ prompt_tokens: 8, completion_tokens: 0, total_tokens: 8 })
  })

  it('accepts token ids', async () => {
    const text = await embed({ input: 'ab' })
    const bos = 256
    expect((await embed({ input: [bos, 97, 98] })).data).toEqual(text.data)
    expect((await embed({ input: [[bos, 97, 98]] })).data).toEqual(text.data)
  })

  it('returns the same numbers as base64', async () => {
    const floats = await embed({ input: 'one' })
    const { data } = await embed({ input: 'one', encoding_format: 'base64' })
    const raw = Buffer.from(data[0]!.embedding as string, 'base64')
    const decoded = new Float32Array(raw.buffer, raw.byteOffset, raw.length / 4)
    expect([...decoded]).toEqual(floats.data[0]!.embedding)
  })

  it('has the model’s own number of dimensions', async () => {
    expect((await embed({ input: 'x', dimensions: 32 })).data[0]!.embedding).toHaveLength(32)
    await using app = createTestApp()
    const response = await app.post(path, { model: 'test', input: 'x', dimensions: 8 })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { param: 'dimensions' } })
  })

  it.each([
    [{ input: [5000] }, 'input[0]', {}],
    [{ input: [] }, 'input', {}],
    [{ input: 'x'.repeat(3000) }, null, {}],
    [{ input: 'x' }, 'model', { capabilities: { embeddings: false } }],
  ])('refuses %j at %s', async (body, param, options) => {
    await using app = createTestApp(options)
    const response = await app.post(path, { model: 'test', ...body })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { param } })
  })
})
