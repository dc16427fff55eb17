import {
  chatRequestSchema,
  completionRequestSchema,
  detokenizeRequestSchema,
  embeddingRequestSchema,
  errorSchema,
  ollamaChatRequestSchema,
  ollamaEmbedRequestSchema,
  ollamaErrorSchema,
  ollamaGenerateRequestSchema,
  ollamaOptionsSchema,
  tokenizeRequestSchema,
} from '@petals-chat/api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestApp, type TestApp } from './fixtures/test-app.ts'

const routes = {
  '/v1/chat/completions': {
    fields: Object.keys(chatRequestSchema.shape),
    sane: { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 2 },
  },
  '/v1/completions': {
    fields: Object.keys(completionRequestSchema.shape),
    sane: { prompt: 'Hi', max_tokens: 2 },
  },
  '/v1/embeddings': { fields: Object.keys(embeddingRequestSchema.shape), sane: { input: 'Hi' } },
  '/v1/tokenize': { fields: Object.keys(tokenizeRequestSchema.shape), sane: { prompt: 'Hi' } },
  '/v1/detokenize': { fields: Object.keys(detokenizeRequestSchema.shape), sane: { tokens: [1] } },
  '/api/chat': {
    fields: Object.keys(ollamaChatRequestSchema.shape),
    sane: { messages: [{ role: 'user', content: 'Hi' }], options: { num_predict: 2 } },
  },
  '/api/generate': {
    fields: Object.keys(ollamaGenerateRequestSchema.shape),
    sane: { prompt: 'Hi', options: { num_predict: 2 } },
  },
  '/api/embed': { fields: Object.keys(ollamaEmbedRequestSchema.shape), sane: { input: 'Hi' } },
}

/** Values that have broken servers before, and any other JSON. */
const value = fc.oneof(
  fc.constantFrom(
    null,
    -1,
    0,
    1e308,
    -1e308,
    2 ** 53,
    0.5,
    '',
    '1',
    'NaN',
    '\ud800',
    [],
    {},
    true,
    [[]],
    [null],
  ),
  fc.constantFrom('<think>', '</s>', '\0', '🗼'.repeat(100), { type: 'text' }, { type: 'json_object' }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.string({ unit: 'binary' }),
  fc.jsonValue({ maxDepth: 4 }),
)

describe('any value from a client', () => {
  let app: TestApp
  beforeAll(() => {
    app = createTestApp({ reply: () => 'Hi.', contextLength: 512 })
  })
  afterAll(() => app[Symbol.asyncDispose]())

  async function expectAnswerOrRefusal(path: string, body: unknown) {
    const response = await app.post(path, body)
    const text = await response.text()
    expect([200, 400, 404], text).toContain(response.status)
    expect(response.headers.get('x-request-id')).toBeTruthy()
    const schema = path.startsWith('/api/') ? ollamaErrorSchema : errorSchema
    if (response.status !== 200) schema.parse(JSON.parse(text))
    else expect(text).not.toMatch(/internal_error|unexpected error/)
  }

  it.each(Object.entries(routes))(
    'as one field of %s is answered or refused',
    async (path, { fields, sane }) => {
      const run = fc.asyncProperty(fc.constantFrom(...fields), value, (field, given) =>
        expectAnswerOrRefusal(path, { model: 'test', ...sane, [field]: given }),
      )
      await fc.assert(run, { numRuns: 300 })
    },
  )

  it('as an option of Ollama is answered or refused', async () => {
    const run = fc.asyncProperty(
      fc.constantFrom(...Object.keys(ollamaOptionsSchema.shape)),
      value,
      (option, given) =>
        expectAnswerOrRefusal('/api/generate', {
          model: 'test',
          prompt: 'Hi',
          options: { num_predict: 2, [option]: given },
        }),
    )
    await fc.assert(run, { numRuns: 300 })
  })

  it.each(Object.keys(routes))('as the body of %s is answered or refused', async (path) => {
    const run = fc.asyncProperty(fc.oneof(fc.json(), fc.string()), (body) =>
      expectAnswerOrRefusal(path, body),
    )
    await fc.assert(run, { numRuns: 100 })
  })
})
