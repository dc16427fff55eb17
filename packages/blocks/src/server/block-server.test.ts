import { afterEach, describe, expect, it } from 'vitest'
import { connectSwarm } from '@petals-chat/petals/client'
import { inferenceMethod } from '../../../petals/src/inference/inference-methods.ts'
import { createLibp2pTransport } from '../../../petals/src/p2p/libp2p-transport.ts'
import { createRpcClient } from '../../../petals/src/rpc/transport-rpc-client.ts'
import { encodeTensor } from '../../../petals/src/tensor/codecs/index.ts'
import { emptyTensor, floatTensor } from '../../../petals/src/tensor/tensor.ts'
import { runToyBlocks, toyBlocks } from '../../../petals/src/testing/toy-block.ts'
import { encodeMsgpack } from '../../../petals/src/wire/msgpack-encode.ts'
import { ToyEngine } from '../fixtures/toy-engine.ts'
import { startBlockServer, type BlockServer } from './block-server.ts'
import type { BlockServerOptions } from './options.ts'

const model = { dhtPrefix: 'Toy-hf', numBlocks: 6 }
const hiddenSize = 16
let resources = new AsyncDisposableStack()
afterEach(async () => {
  await resources.disposeAsync()
  resources = new AsyncDisposableStack()
})

const engines: ToyEngine[] = []

async function serve(options: Partial<BlockServerOptions> = {}): Promise<BlockServer> {
  const server = await startBlockServer({
    model,
    blocks: { start: 0, end: 6 },
    openEngine: async ({ start, end }) => {
      const engine = new ToyEngine({ start, end })
      engines.push(engine)
      return engine
    },
    initialPeers: [],
    listen: ['/ip4/127.0.0.1/tcp/0'],
    reach: 'direct',
    version: '0.1.0',
    throughput: { inferenceRps: 100, forwardRps: 1000, networkRps: 1000, throughput: 100 },
    ...options,
  })
  return resources.use(server)
}

const inputs = (tokens: number): Float32Array =>
  Float32Array.from({ length: tokens * hiddenSize }, (_, i) => Math.sin(i))

describe('a swarm of native servers', () => {
  it('is started by its first server, found through the DHT, and computes the blocks', async () => {
    const first = await serve({ blocks: { start: 0, end: 3 } })
    const second = await serve({ blocks: { start: 3, end: 6 }, initialPeers: first.addresses })
    const client = resources.use(await connectSwarm({ initialPeers: [...first.addresses] }))
    expect(await client.listModels()).toEqual([{ ...model, repository: undefined }])

    const remote = client.openModel({ ...model, hiddenSize })
    const session = resources.use(remote.openSession({ maxLength: 32 }))
    const states = inputs(9)
    const { data } = await session.step({ shape: [9, hiddenSize], data: states })
    expect(data).toEqual(runToyBlocks(toyBlocks(0, 6, hiddenSize), states, hiddenSize, 0, 'float32'))
    expect([first, second].map((server) => server.status().activity.tokens)).toEqual([9, 9])
  })

  it('reaches a server behind a NAT through another one, also for more bytes than a test of a relay allows', async () => {
    const first = await serve({ blocks: { start: 0, end: 3 } })
    const [relay] = first.addresses
    const second = await serve({
      blocks: { start: 3, end: 6 },
      initialPeers: first.addresses,
      reach: { relay: relay! },
    })
    expect(second.status().usesRelay).toBe(true)
    expect(second.addresses).toEqual([`${relay}/p2p-circuit/p2p/${second.peer}`])
    const client = resources.use(await connectSwarm({ initialPeers: [...first.addresses] }))
    const session = resources.use(client.openModel({ ...model, hiddenSize }).openSession({ maxLength: 2048 }))
    const states = inputs(2048)
    expect(states.byteLength * 2).toBeGreaterThan(128 * 1024)
    const { data } = await session.step({ shape: [2048, hiddenSize], data: states })
    expect(data).toEqual(runToyBlocks(toyBlocks(0, 6, hiddenSize), states, hiddenSize, 0, 'float32'))
  })

  it('moves a server to blocks that no server holds any more', async () => {
    const first = await serve({ blocks: { start: 0, end: 3 } })
    const leaving = await serve({ blocks: { start: 3, end: 6 }, initialPeers: first.addresses })
    const balance = { checkMs: 50, delayMs: 1, stayMs: 100, drainMs: 1000 }
    const free = await serve({ blocks: 3, initialPeers: first.addresses, balance })
    expect(free.status().blocks).toEqual({ start: 0, end: 3 })
    await leaving.drain({ timeoutMs: 0 })
    await expect.poll(() => free.status()).toMatchObject({ state: 'online', blocks: { start: 3, end: 6 } })
    expect(engines.at(-2)!.disposed).toBe(true)
  })

  it('lets the sessions of a server that moves finish, also when it is to end meanwhile', async () => {
    const first = await serve({ blocks: { start: 0, end: 3 } })
    const leaving = await serve({ blocks: { start: 3, end: 6 }, initialPeers: first.addresses })
    const balance = { checkMs: 50, delayMs: 1, stayMs: 100, drainMs: 60_000 }
    const free = await serve({ blocks: 3, initialPeers: first.addresses, balance })
    const engine = engines.at(-1)!
    const client = resources.use(await createLibp2pTransport({ connectTimeoutMs: 5000 }))
    await client.connect(free.addresses)
    const session = await createRpcClient(client).openStream(free.peer, inferenceMethod)
    const tensors = [
      encodeTensor(floatTensor(new Float32Array(hiddenSize), [1, 1, hiddenSize])),
      encodeTensor(emptyTensor('float32')),
      encodeTensor(emptyTensor('int64')),
    ]
    const metadata = encodeMsgpack(new Map([['max_length', 4]]))
    await session.send({ uid: 'Toy-hf.0', tensors, metadata })
    await session.receive()
    await leaving.drain({ timeoutMs: 0 })
    await expect.poll(() => free.status().state).toBe('joining')
    const drained = free.drain({ timeoutMs: 60_000 })
    await session.send({ uid: 'Toy-hf.0', tensors, metadata })
    await session.receive()
    expect([free.status().state, engine.disposed]).toEqual(['draining', false])
    await session.end()
    await drained
    expect(free.status()).toMatchObject({ state: 'draining', activity: { sessions: 0 } })
    expect(engines.at(-1)).toBe(engine)
  })

  it('announces that it is joining while the process that computes is started again', async () => {
    const server = await serve()
    const { readiness } = engines.at(-1)!
    const client = resources.use(await connectSwarm({ initialPeers: [...server.addresses] }))
    const remote = client.openModel({ ...model, hiddenSize })
    const announced = async () => {
      await remote.router.refresh()
      return [server.status().state, ...remote.router.status().map((each) => each.server.state)]
    }
    expect(await announced()).toEqual(['online', 'online'])
    readiness.set(false)
    await expect.poll(announced).toEqual(['joining', 'joining'])
    readiness.set(true)
    await expect.poll(announced).toEqual(['online', 'online'])
  })

  it('does not say so when it moves or ends anyway', async () => {
    const server = await serve()
    const { readiness } = engines.at(-1)!
    await server.drain({ timeoutMs: 0 })
    readiness.set(false)
    readiness.set(true)
    expect(server.status().state).toBe('draining')
  })

  it('announces how fast its network is, as peers receive what it sends, or as it was told', async () => {
    const assumed = 100e6 / (hiddenSize * 16)
    const first = await serve({ throughput: undefined })
    const client = resources.use(await connectSwarm({ initialPeers: [...first.addresses] }))
    const { router } = client.openModel({ ...model, hiddenSize })
    const announced = async (): Promise<Readonly<Record<string, number | undefined>>> => {
      await router.refresh()
      return Object.fromEntries(router.status().map(({ peer, server }) => [peer, server.networkRps]))
    }
    // The first server has no peer to send to.
    expect((await announced())[first.peer]).toBe(assumed)
    const initialPeers = first.addresses
    const second = await serve({ throughput: undefined, initialPeers })
    const told = await serve({ throughput: undefined, initialPeers, networkBps: 8e6 })
    const { [second.peer]: measured, [told.peer]: given } = await announced()
    expect(measured).toBeGreaterThan(0)
    expect(measured).not.toBe(assumed)
    expect(given).toBe(8e6 / (hiddenSize * 16))
  })
})
