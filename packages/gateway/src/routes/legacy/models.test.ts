import { legacyModelsSchema } from '@petals-chat/api'
import { expect, it } from 'vitest'
import { createTestGateway, readJson } from '../../fixtures/test-gateway.ts'

it('tells a page what it needs to offer the models', async () => {
  await using test = createTestGateway({
    specs: [
      {
        id: 'petals-team/StableBeluga2',
        aliases: ['stabilityai/StableBeluga2'],
        family: 'Llama 2',
        displayName: 'Stable Beluga 2 (70B)',
        modelCard: 'https://example.org/card',
        license: 'https://example.org/licence',
        maxSessionLength: 8192,
        dialogue: { sepToken: '###' },
        generation: { do_sample: 1, temperature: 0.6, top_p: 0.9 },
      },
      { id: 'falcon', family: 'Falcon', publicApi: false },
      { id: 'llama-2-7b', family: 'Llama 2' },
      { id: 'plain' },
    ],
  })
  await test.app.request('/api/v1/generate?model=plain&inputs=a&max_new_tokens=1')
  const response = await test.app.request('/api/v1/models')
  expect(response.headers.get('cache-control')).toBe('no-store')
  const body = await readJson(response)
  expect(legacyModelsSchema.parse(body)).toEqual(body)
  expect(body.default).toBe('petals-team/StableBeluga2')
  expect(body.families).toEqual([
    { name: 'Llama 2', models: ['petals-team/StableBeluga2', 'llama-2-7b'] },
    { name: 'Falcon', models: ['falcon'] },
    { name: 'plain', models: ['plain'] },
  ])
  expect(body.models[0]).toMatchObject({
    aliases: ['stabilityai/StableBeluga2'],
    engine: 'llama',
    displayName: 'Stable Beluga 2 (70B)',
    modelCard: 'https://example.org/card',
    license: 'https://example.org/licence',
    publicApi: true,
    maxSessionLength: 8192,
    dialogue: { sepToken: '###', stopToken: '###', extraStopSequences: ['</s>'] },
    generation: { do_sample: 1, temperature: 0.6, top_p: 0.9, max_new_tokens: 2048 },
    state: { state: 'idle' },
  })
  expect(body.models[0].contextLength).toBeUndefined()
  expect(body.models[1].publicApi).toBe(false)
  expect(body.models[3]).toMatchObject({
    displayName: 'plain',
    contextLength: 2048,
    generation: { do_sample: true, temperature: 0.6, top_p: 0.9, max_new_tokens: 2048 },
    state: { state: 'ready' },
  })
})

it.each([
  ['petals', true, 'public'],
  ['petals', false, 'private'],
  ['petals', undefined, 'private'],
  ['llama', true, undefined],
] as const)('tells whose computers the answers go through: %s, public %s', async (name, isPublic, kind) => {
  const swarm = { isPublic, status: async () => ({ models: [] }) }
  await using test = createTestGateway({ name, specs: [{ engine: name }], swarm })
  const { models } = await readJson(await test.app.request('/api/v1/models'))
  const { data } = await readJson(await test.app.request('/v1/models'))
  expect([models[0].swarm, data[0].swarm]).toEqual([kind, kind])
})
