import {
  createModelRegistry,
  loadableModel,
  type LoadableModel,
  modelSpecSchema,
  type ModelGroup,
  silentLogger,
} from '@petals-chat/engine'
import { ScriptedEngine } from '@petals-chat/engine/testing'
import { createGateway, createPrometheusMetrics, gatewayConfigSchema } from '@petals-chat/gateway'
import { createUpstreamEngine, upstreamModelSchema } from '@petals-chat/upstream'
import { Ollama } from 'ollama'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const capabilities = { grammar: true, logprobs: true, promptLogprobs: true, embeddings: false }

/** Two servers, of which the first one makes embeddings and the second one makes none, and one in front of them. */
describe('embeddings of another server, for the official clients', () => {
  let resources: AsyncDisposableStack
  let back: string
  let openai: OpenAI
  let ollama: Ollama

  async function serve(models: readonly (LoadableModel | ModelGroup)[]): Promise<string> {
    const registry = resources.use(createModelRegistry({ models }))
    const deps = { registry, logger: silentLogger, metrics: createPrometheusMetrics(), version: '1.0.0' }
    const gateway = resources.use(createGateway(gatewayConfigSchema.parse({ port: 0 }), deps))
    return (await gateway.listen()).url
  }

  const scripted = (options: ConstructorParameters<typeof ScriptedEngine>[0]): LoadableModel =>
    loadableModel(
      modelSpecSchema.parse({ id: 'org/test', engine: 'llama', source: 'none' }),
      resources.use(new ScriptedEngine(options)),
    )

  beforeAll(async () => {
    resources = new AsyncDisposableStack()
    back = await serve([scripted({})])
    const mute = await serve([scripted({ capabilities })])
    const engine = resources.use(createUpstreamEngine())
    const entry = (id: string, url: string) =>
      engine.add(
        upstreamModelSchema.parse({ id, engine: 'upstream', baseUrl: `${url}/v1`, model: 'org/test' }),
      )
    const front = await serve([entry('big', back), entry('mute', mute)])
    openai = new OpenAI({ baseURL: `${front}/v1`, apiKey: 'any', maxRetries: 0 })
    ollama = new Ollama({ host: front })
  })
  afterAll(() => resources.disposeAsync())

  it("are the same for OpenAI's client as those of the server itself", async () => {
    const own = new OpenAI({ baseURL: `${back}/v1`, apiKey: 'any', maxRetries: 0 })
    for (const more of [{}, { encoding_format: 'float' as const }, { dimensions: 32, user: 'alice' }])
      for (const input of ['one', ['one', 'two'], [256, 97], [[256, 97], [98]]]) {
        const given = await openai.embeddings.create({ model: 'big', input, ...more })
        const expected = await own.embeddings.create({ model: 'org/test', input, ...more })
        expect(given).toMatchObject({ model: 'big', data: expected.data, usage: expected.usage })
      }
  })

  it("are the same for Ollama's client", async () => {
    const own = new Ollama({ host: back })
    const given = await ollama.embed({ model: 'big', input: ['one', 'two'] })
    const expected = await own.embed({ model: 'org/test', input: ['one', 'two'] })
    expect(given.embeddings).toEqual(expected.embeddings)
    expect(given.prompt_eval_count).toBe(expected.prompt_eval_count)
    const { embedding } = await ollama.embeddings({ model: 'big', prompt: 'one' })
    expect(embedding).toEqual(expected.embeddings[0])
  })

  it('are refused in the words of their server', async () => {
    await expect(openai.embeddings.create({ model: 'big', input: 'x', dimensions: 8 })).rejects.toMatchObject(
      {
        status: 400,
        param: 'dimensions',
      },
    )
    await expect(openai.embeddings.create({ model: 'mute', input: 'x' })).rejects.toMatchObject({
      status: 400,
      param: 'model',
      message: expect.stringMatching(
        /The server of the model 'mute' .* does not return embeddings/,
      ) as string,
    })
    await expect(ollama.embed({ model: 'mute', input: 'x' })).rejects.toThrow('does not return embeddings')
  })
})
