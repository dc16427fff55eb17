import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectSwarm } from './client.ts'
import { dhtPrefix, FakeSwarm } from './testing/fake-swarm.ts'

let swarm: FakeSwarm
beforeEach(async () => {
  swarm = await FakeSwarm.start()
  swarm.dht.store(
    '_petals.models',
    dhtPrefix,
    new Map<string, number | null>([
      ['num_blocks', 6],
      ['repository', null],
    ]),
  )
})
afterEach(() => swarm[Symbol.asyncDispose]())

const connect = () => connectSwarm({ initialPeers: [swarm.bootstrap.address] })

describe('connectSwarm', () => {
  it('lists the models of the swarm, finds their servers, and calls them', async () => {
    const servers = [await swarm.addServer(0, 3), await swarm.addServer(3, 6)]
    await using client = await connect()
    expect(await client.listModels()).toEqual([{ dhtPrefix, numBlocks: 6, repository: undefined }])
    expect(await client.dht.getMany([`${dhtPrefix}.5`])).toHaveLength(1)

    const model = client.openModel({ dhtPrefix, numBlocks: 6, hiddenSize: swarm.hiddenSize })
    const spans = await model.directory.findSpans()
    expect(new Set(spans.map(({ peer }) => peer))).toEqual(new Set(servers.map(({ id }) => id)))
    expect(await model.router.route({ start: 1, end: 6 })).toMatchObject([
      { peer: servers[0]!.id, start: 1, end: 3 },
      { peer: servers[1]!.id, start: 3, end: 6 },
    ])
  })

  it('runs hidden states through the blocks, token by token', async () => {
    await swarm.addServer(0, 3)
    await swarm.addServer(3, 6)
    await using client = await connect()
    const model = client.openModel({ dhtPrefix, numBlocks: 6, hiddenSize: swarm.hiddenSize })
    await using session = model.openSession({ maxLength: 64 })
    const inputs = [swarm.inputs(5), swarm.inputs(1, 2), swarm.inputs(1, 3)]
    const outputs: number[] = []
    for (const each of inputs) outputs.push(...(await session.step(each)).data)
    expect(Float32Array.from(outputs)).toEqual(swarm.expected(...inputs))
    expect(session.position).toBe(7)
    expect(model.decodeMs(session.route[0]!.peer)).toBeGreaterThan(0)
  })

  it('closes sessions that are still open, and the connections, when it is disposed', async () => {
    const server = await swarm.addServer(0, 6)
    const client = await connect()
    const model = client.openModel({ dhtPrefix, numBlocks: 6, hiddenSize: swarm.hiddenSize })
    const session = model.openSession({ maxLength: 64 })
    await session.step(swarm.inputs(2))
    expect(server.openSessions).toBe(1)
    await client[Symbol.asyncDispose]()
    await expect.poll(() => server.openSessions).toBe(0)
    await expect(session.step(swarm.inputs(1))).rejects.toThrow(/closed/)
  })

  it('refuses a configuration that does not fit the schema', async () => {
    await expect(connectSwarm({ initialPeers: ['localhost:31337'] })).rejects.toThrow(/must be a multiaddr/)
  })
})

it('examples/swarm-client.ts runs', async () => {
  const server = await swarm.addServer(0, 6)
  const example = fileURLToPath(new URL('../../../examples/swarm-client.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=petals-chat-source',
    ...[example, dhtPrefix, String(swarm.hiddenSize), swarm.bootstrap.address],
  ])
  expect(stdout.split('\n')).toEqual([
    `server ${server.id}: blocks 0 to 5 of 6`,
    `hop: blocks 0 to 5 on ${server.id}`,
    `outputs: shape [1, ${swarm.hiddenSize}], finite: true`,
    '',
  ])
})
