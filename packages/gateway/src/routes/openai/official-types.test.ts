import {
  type ChatResponse,
  type CompletionResponse,
  type EmbeddingResponse,
  type ModelObject,
  chatChunkSchema,
  completionChunkSchema,
  embeddingResponseSchema,
  errorSchema,
  modelListSchema,
} from '@petals-chat/api'
import type OpenAI from 'openai'
import { expect, it } from 'vitest'
import type { z } from 'zod'
import { createTestApp } from './fixtures/test-app.ts'

/** A type as JSON represents it: an undefined field is missing. */
type Sent<Value> = Value extends readonly (infer Item)[]
  ? Sent<Item>[]
  : Value extends object
    ? { [Key in keyof Value]: Sent<Exclude<Value[Key], undefined>> }
    : Value

/** Compiles only if `Own` is assignable to `Official`. */
type Extends<Official, Own extends Official> = Own

/** The types give the first token of an echoed prompt a log probability; OpenAI returns null for it, too. */
type WithoutLogprobs<Body extends { choices: { logprobs: unknown }[] }> = Omit<Body, 'choices'> & {
  choices: Omit<Body['choices'][number], 'logprobs'>[]
}

// The types of the official client's results: no field of them may be missing here. The client decodes base64 itself.
type Embeddings = Omit<EmbeddingResponse, 'data'> & {
  readonly data: (Omit<EmbeddingResponse['data'][number], 'embedding'> & { embedding: number[] })[]
}
export type Checked = [
  Extends<OpenAI.Model, ModelObject>,
  Extends<OpenAI.ChatCompletion, Sent<ChatResponse>>,
  Extends<OpenAI.ChatCompletionChunk, Sent<z.output<typeof chatChunkSchema>>>,
  Extends<WithoutLogprobs<OpenAI.Completion>, WithoutLogprobs<Sent<CompletionResponse>>>,
  Extends<OpenAI.CreateEmbeddingResponse, Embeddings>,
]

it('responses match the schemas, and so the official types', async () => {
  await using app = createTestApp({ reply: () => 'Hi.' })
  const read = async (response: Response): Promise<unknown> => await response.json()
  const messages = [{ role: 'user', content: 'Hi' }]

  const { data } = modelListSchema.parse(await read(await app.get('/v1/models')))
  expect(data[0]).toMatchObject({
    root: 'test',
    parent: null,
    permission: [],
    type: 'base',
    name: 'test',
    capabilities: { completion_chat: true, vision: false },
  })
  const embeddings = embeddingResponseSchema.parse(
    await read(await app.post('/v1/embeddings', { input: 'Hi' })),
  )
  expect(embeddings).toMatchObject({
    id: expect.stringMatching(/^embd-/) as string,
    usage: { completion_tokens: 0 },
  })
  errorSchema.strict().parse(await read(await app.post('/v1/embeddings', {})))
  errorSchema.strict().parse(await read(await app.get('/v1/nothing')))

  for (const [path, schema, body] of [
    ['/v1/chat/completions', chatChunkSchema, { messages }],
    ['/v1/completions', completionChunkSchema, { prompt: 'Hi' }],
  ] as const) {
    const { events } = await app.stream(path, { ...body, stream_options: { include_usage: true } })
    expect(events.length).toBeGreaterThan(2)
    for (const event of events) schema.parse(event)
  }
  const loaded = modelListSchema.parse(await read(await app.get('/v1/models'))).data[0]!
  expect([loaded.max_model_len, loaded.max_context_length]).toEqual([2048, 2048])
})
