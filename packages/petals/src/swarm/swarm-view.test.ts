import {
  formatModelSource,
  ModelUnavailableError,
  silentLogger,
  silentMetrics,
  type ModelFiles,
  type ModelSource,
  type SwarmView,
} from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { petalsModelSchema, swarmConfigSchema, type SwarmConfigInput } from '../config.ts'
import { ModelLocator } from './model-locator.ts'
import { ModelSwarms } from './model-swarms.ts'
import { modelStatus } from './model-status.ts'
import { SwarmConnector } from './swarm-connector.ts'
import { createSwarmView } from './swarm-view.ts'
import { dhtPrefix, FakeSwarm } from '../testing/fake-swarm.ts'

const config = JSON.stringify({ model_type: 'llama', vocab_size: 8, hidden_size: 16, num_hidden_layers: 6 })

/** A folder with only a config.json. */
const filesOf = (source: string): ModelFiles =>
  ({ description: source, text: async () => config }) as Partial<ModelFiles> as ModelFiles

const spec = petalsModelSchema.parse({ id: 'toy', engine: 'petals', source: './toy', dhtPrefix })

let swarm: FakeSwarm
const resources: AsyncDisposable[] = []
beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(async () => {
  for (const resource of resources.splice(0).reverse()) await resource[Symbol.asyncDispose]()
  await swarm[Symbol.asyncDispose]()
})

function openView(
  models = [spec],
  overrides: Partial<SwarmConfigInput> = {},
  openFiles = async (source: ModelSource) => filesOf(formatModelSource(source)),
): { readonly view: SwarmView; readonly swarms: ModelSwarms; readonly connector: SwarmConnector } {
  const parsed = swarmConfigSchema.parse({ initialPeers: [swarm.bootstrap.address], ...overrides })
  const connector = new SwarmConnector({ config: parsed })
  const swarms = new ModelSwarms({ config: parsed, logger: silentLogger, metrics: silentMetrics })
  resources.push(connector, swarms)
  const locator = new ModelLocator(openFiles)
  const { initialPeers } = parsed
  const view = createSwarmView({ models, initialPeers, connector, swarms, locator, logger: silentLogger })
  return { view, swarms, connector }
}

describe('the view of a swarm', () => {
  it('shows blocks, servers and round trips of a model that is not loaded', async () => {
    const first = await swarm.addServer(0, 4, { version: '2.3.0.dev2', adapters: ['o/lora'] })
    await swarm.addServer(3, 6)
    const { models } = await openView().view.status()
    expect(models).toHaveLength(1)
    expect(models[0]).toMatchObject({
      id: 'toy',
      dhtPrefix,
      blocks: 6,
      replicas: [1, 1, 1, 2, 1, 1],
      servable: true,
      missingBlocks: [],
      bottleneck: { block: 0, replicas: 1 },
      initialPeers: [swarm.bootstrap.address],
      problem: undefined,
    })
    expect(models[0]!.ageMs).toBeLessThan(5000)
    expect(models[0]!.servers[0]).toMatchObject({
      peer: first.peer.id,
      state: 'online',
      version: '2.3.0.dev2',
      start: 0,
      end: 4,
      adapters: ['o/lora'],
      bannedForMs: 0,
      rttMs: expect.any(Number) as number,
      cacheTokensLeft: undefined,
    })
  })

  it('reports the free cache of a server in tokens of a session', async () => {
    const server = await swarm.addServer(0, 6)
    server.announce([swarm.dht], { cacheTokensLeft: 49_163 })
    expect((await openView().view.status()).models[0]!.servers[0]!.cacheTokensLeft).toBe(4096)
  })

  it('is public if an initial peer belongs to petals.dev', async () => {
    expect(openView().view.isPublic).toBe(false)
    expect(openView([spec], { initialPeers: 'public' }).view.isPublic).toBe(true)
  })

  it('reports missing blocks', async () => {
    await swarm.addServer(1, 3)
    const [model] = (await openView().view.status()).models
    expect(model).toMatchObject({
      servable: false,
      missingBlocks: [0, 3, 4, 5],
      replicas: [0, 1, 1, 0, 0, 0],
    })
    expect(model!.bottleneck).toEqual({ block: 0, replicas: 0, throughput: 0 })
  })

  it('does not count a dead server whose announcement has not expired', async () => {
    await swarm.addServer(0, 6)
    const gone = await swarm.addServer(0, 3)
    await gone[Symbol.asyncDispose]()
    const [model] = (await openView().view.status()).models
    expect(model).toMatchObject({ servable: true, replicas: [1, 1, 1, 1, 1, 1] })
    const rtts = model!.servers.map(({ peer, rttMs }) => [peer === gone.peer.id, rttMs === Infinity])
    expect(rtts.toSorted()).toEqual([
      [false, false],
      [true, true],
    ])
  })

  it('reports at the next request that the last server of some blocks has died', async () => {
    await swarm.addServer(0, 3)
    const last = await swarm.addServer(3, 6)
    const { view } = openView()
    expect((await view.status()).models[0]).toMatchObject({ servable: true })
    await last.kill()
    const look = async () => (await view.status()).models[0]!
    await expect.poll(look, { interval: 500 }).toMatchObject({
      servable: false,
      missingBlocks: [3, 4, 5],
      servers: [{ rttMs: expect.any(Number) as number }, { rttMs: Infinity }],
    })
  })

  it('does not count the daemon that outlives a killed server', async () => {
    const server = await swarm.addServer(0, 6)
    await server.endBehindItsDaemon()
    const [model] = (await openView().view.status()).models
    expect(model).toMatchObject({ servable: false, missingBlocks: [0, 1, 2, 3, 4, 5] })
  })

  it('counts only servers that the configuration allows', async () => {
    const blocked = await swarm.addServer(0, 6)
    const [model] = (await openView([spec], { blockedServers: [blocked.peer.id] }).view.status()).models
    expect(model).toMatchObject({ servable: false, servers: [{ peer: blocked.peer.id }] })
  })

  it("uses what servers have registered if the files can't be read", async () => {
    await swarm.addServer(0, 6)
    const unreachable = async (): Promise<never> => {
      throw new ModelUnavailableError('The Hub can not be reached.')
    }
    const registered = new Map<string, number | string>([
      ['num_blocks', 6],
      ['repository', 'https://huggingface.co/owner/Toy'],
    ])
    const byName = petalsModelSchema.parse({ id: 'by-name', engine: 'petals', source: 'hf:owner/Toy' })
    const other = petalsModelSchema.parse({ id: 'other', engine: 'petals', source: 'hf:owner/Other' })
    const { view } = openView([spec, byName, other], {}, unreachable)
    expect((await view.status()).models[0]).toMatchObject({
      blocks: 0,
      problem: 'The Hub can not be reached.',
    })

    swarm.dht.store('_petals.models', dhtPrefix, registered)
    const { models } = await view.status()
    expect(models.slice(0, 2)).toMatchObject([
      { id: 'toy', dhtPrefix, servable: true },
      { id: 'by-name', dhtPrefix, servable: true },
    ])
    expect(models[2]).toMatchObject({ servable: false, problem: 'The Hub can not be reached.' })
  })

  it('shows all registered models if none is configured', async () => {
    await swarm.addServer(0, 6)
    const { view } = openView([])
    expect(await view.status()).toEqual({ models: [] })
    swarm.dht.store(
      '_petals.models',
      dhtPrefix,
      new Map<string, number | null>([
        ['num_blocks', 6],
        ['repository', null],
      ]),
    )
    const registered = { id: dhtPrefix, blocks: 6, servable: true }
    expect((await view.status()).models).toMatchObject([{ ...registered, repository: undefined }])
  })

  it('tells from which repository servers have a model that is not configured', async () => {
    await swarm.addServer(0, 6)
    const repository = 'https://huggingface.co/owner/Toy'
    swarm.dht.store(
      '_petals.models',
      dhtPrefix,
      new Map<string, number | string>([
        ['num_blocks', 6],
        ['repository', repository],
      ]),
    )
    expect((await openView([]).view.status()).models).toMatchObject([{ id: dhtPrefix, repository }])
  })

  it('reports why no peer can be reached', async () => {
    const address = '/ip4/127.0.0.1/tcp/1/p2p/QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY'
    const [model] = (await openView([spec], { initialPeers: [address] }).view.status()).models
    expect(model).toMatchObject({
      reachable: false,
      servable: false,
      servers: [],
      missingBlocks: [],
      ageMs: undefined,
    })
    const words = /^The swarm can't be reached: its only initial peer .*ECONNREFUSED.* Check the addresses/
    expect(model!.problem).toMatch(words)
    const { models, problem } = await openView([], { initialPeers: [address] }).view.status()
    expect(models).toEqual([])
    expect(problem).toMatch(words)
  })

  it('reports no missing blocks when no peer can be asked', async () => {
    const server = await swarm.addServer(0, 6)
    const { view, swarms, connector } = openView()
    expect((await view.status()).models[0]).toMatchObject({ reachable: true, servable: true })
    const model = swarms.of({ dhtPrefix, numBlocks: 6 }, await connector.get())
    await server[Symbol.asyncDispose]()
    await swarm.bootstrap[Symbol.asyncDispose]()
    await expect(model.directory.refresh()).rejects.toThrow(/The swarm can't be reached: .*firewall/)
    expect(model.directory.snapshot().failure).toBeDefined()
    vi.spyOn(model.directory, 'snapshot').mockReturnValue({
      ...model.directory.snapshot(),
      spans: [],
      ageMs: 200_000,
    })
    expect(modelStatus(model)).toMatchObject({
      state: 'unavailable',
      detail: expect.stringMatching(/^The swarm can't be reached/) as string,
    })
    expect((await view.status()).models[0]).toMatchObject({
      reachable: false,
      missingBlocks: [],
      servable: false,
    })
  })
})

describe('the status of a model', () => {
  it('is unavailable, degraded or ready, depending on its servers', async () => {
    const { swarms, connector, view } = openView()
    const model = swarms.of({ dhtPrefix, numBlocks: 6 }, await connector.get())
    const first = await swarm.addServer(0, 6)
    await view.status()
    expect(modelStatus(model)).toEqual({ state: 'ready' })

    await first[Symbol.asyncDispose]()
    await model.router.measure()
    expect(modelStatus(model)).toMatchObject({
      state: 'degraded',
      detail: expect.stringContaining('blocks 0-5 do not answer now') as string,
    })

    for (let block = 0; block < 6; block++) swarm.dht.remove(`${dhtPrefix}.${block}`, first.peer.id)
    await model.directory.refresh()
    expect(modelStatus(model)).toMatchObject({
      state: 'unavailable',
      detail: expect.stringMatching(
        /No server is online that holds blocks 0-5 of 'Toy-hf' .*connect-your-gpu/,
      ) as string,
    })
  })
})
