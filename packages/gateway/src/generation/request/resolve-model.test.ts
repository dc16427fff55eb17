import { describe, expect, it } from 'vitest'
import type { GatewayConfig } from '../../config.ts'
import { createTestApp, type TestApp } from '../../routes/openai/fixtures/test-app.ts'

const messages = [{ role: 'user', content: 'Hi' }]

/** Every call of /v1 with a model. */
const bodies = {
  '/v1/chat/completions': { messages, max_tokens: 1 },
  '/v1/completions': { prompt: 'Hi', max_tokens: 1 },
  '/v1/embeddings': { input: 'Hi' },
  '/v1/tokenize': { prompt: 'Hi' },
  '/v1/detokenize': { tokens: [72] },
}

/** Names that clients send because they require one, whatever models the server has. */
const placeholders = ['gpt-3.5-turbo', 'dummy', 'http://localhost:5000/v1', '__proto__']

async function answer(app: TestApp, path: string, fields: object) {
  const response = await app.post(path, { ...bodies[path as keyof typeof bodies], ...fields })
  const body = (await response.json()) as {
    readonly model?: string
    readonly error?: { readonly code: string }
  }
  return { status: response.status, model: body.model, code: body.error?.code }
}

const serving = (unknownModel: GatewayConfig['unknownModel'], ...ids: readonly string[]) =>
  createTestApp({ specs: ids.map((id) => ({ id })), config: { unknownModel } })

describe.each(Object.keys(bodies))('POST %s', (path) => {
  const named = (id: string) => (/completions|embeddings/.test(path) ? id : undefined)

  it('uses the first model without a name, and returns its name', async () => {
    await using app = serving('refuse', 'first', 'second')
    for (const fields of [{}, { model: null }, { model: '' }])
      expect(await answer(app, path, fields)).toEqual({ status: 200, model: named('first'), code: undefined })
  })

  it.each(placeholders)('uses the only model for the placeholder %s, and returns its name', async (model) => {
    await using app = serving('auto', 'only')
    expect(await answer(app, path, { model })).toEqual({
      status: 200,
      model: named('only'),
      code: undefined,
    })
  })

  it('refuses a placeholder where there are several models, or where the config says so', async () => {
    for (const [unknownModel, ...ids] of [
      ['auto', 'a', 'b'],
      ['refuse', 'a'],
    ] as const) {
      await using app = serving(unknownModel, ...ids)
      expect(await answer(app, path, { model: 'dummy' })).toMatchObject({
        status: 404,
        code: 'model_not_found',
      })
    }
  })

  it('uses the first of several models for a placeholder where the config says so', async () => {
    await using app = serving('default', 'first', 'second')
    expect(await answer(app, path, { model: 'dummy' })).toMatchObject({ status: 200, model: named('first') })
    expect(await answer(app, path, { model: 'second' })).toMatchObject({
      status: 200,
      model: named('second'),
    })
  })
})

it('GET /v1/models/{id} does not accept a placeholder', async () => {
  await using app = serving('default', 'only')
  expect((await app.get('/v1/models/gpt-3.5-turbo')).status).toBe(404)
})

it('a model that only the page may use is not the default model of other clients', async () => {
  await using app = createTestApp({ specs: [{ publicApi: false }] })
  for (const path of Object.keys(bodies)) expect((await answer(app, path, {})).code).toBe('model_restricted')
})
