import { modelListSchema, modelSchema } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp } from './fixtures/test-app.ts'

const specs = [
  { id: 'test', aliases: ['default'], family: 'Test family', license: 'https://example.org/licence' },
  { id: 'org/model', publicApi: false },
]

describe('/v1/models', () => {
  it('lists the models with their known properties', async () => {
    await using app = createTestApp({ specs })
    const { data, models } = modelListSchema.parse(await (await app.get('/v1/models')).json())
    expect(data.map(({ id }) => id)).toEqual(['test', 'org/model'])
    expect(data[0]).toMatchObject({
      object: 'model',
      owned_by: 'petals-chat',
      aliases: ['default'],
      engine: 'llama',
      state: 'idle',
      family: 'Test family',
      public_api: true,
    })
    expect(models.map(({ name }) => name)).toEqual(['test:latest', 'org/model:latest'])
    expect(models[0]).toMatchObject({ type: 'model', capabilities: ['completion'] })
    expect(data[0]!.context_length).toBeUndefined()
    expect(data[1]).toMatchObject({ public_api: false })
    expect(app.engine.loads).toBe(0)
  })

  it('has more properties for a loaded model', async () => {
    await using app = createTestApp({ specs: [{ maxSessionLength: 512 }], capabilities: { grammar: false } })
    await app.post('/v1/tokenize', { model: 'test', prompt: 'x' })
    expect(modelSchema.parse(await (await app.get('/v1/models/test')).json())).toMatchObject({
      state: 'ready',
      context_length: 512,
      capabilities: { grammar: false, logprobs: true, prompt_logprobs: true, embeddings: true },
    })
  })

  it('says why a model is not available', async () => {
    await using app = createTestApp({
      beforeLoad: () => {
        throw new Error('disk on fire')
      },
    })
    await app.post('/v1/tokenize', { model: 'test', prompt: 'x' })
    const model = modelSchema.parse(await (await app.get('/v1/models/test')).json())
    expect(model.state).toBe('unavailable')
    expect(model.state_detail).toBeTruthy()
  })

  it.each(['test', 'default', 'org/model', 'org%2Fmodel'])('finds /v1/models/%s', async (id) => {
    await using app = createTestApp({ specs })
    const response = await app.get(`/v1/models/${id}`)
    expect(response.status).toBe(200)
    expect(modelSchema.parse(await response.json()).id).toBe(id.startsWith('org') ? 'org/model' : 'test')
  })

  it.each(['unknown', 'org', '%ff', '__proto__'])('does not find /v1/models/%s', async (id) => {
    await using app = createTestApp({ specs })
    const response = await app.get(`/v1/models/${id}`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ error: { code: 'model_not_found' } })
  })

  it('describes an alias under the model’s own name', async () => {
    await using app = createTestApp({ specs, reply: () => 'Hi.' })
    const body = { model: 'default', messages: [{ role: 'user', content: 'Hi' }] }
    expect(await (await app.post('/v1/chat/completions', body)).json()).toMatchObject({ model: 'test' })
  })
})
