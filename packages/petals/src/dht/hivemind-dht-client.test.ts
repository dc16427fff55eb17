import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PeerUnreachableError } from '../errors.ts'
import { createLibp2pTransport } from '../p2p/libp2p-transport.ts'
import { parsePeerId } from '../p2p/peer-id.ts'
import type { SwarmTransport } from '../p2p/swarm-transport.ts'
import { TestPeer } from '../p2p/testing/test-peer.ts'
import { createRpcClient } from '../rpc/transport-rpc-client.ts'
import { DhtNode, unixSeconds } from '../testing/dht-node.ts'
import { serveUnary, silence } from '../testing/rpc-server.ts'
import { encodeFindResponse } from '../wire/dht.ts'
import type { DhtClient, DhtRecord } from './dht-client.ts'
import { dhtIdOf } from './dht-id.ts'
import { findMethod, pingMethod } from './dht-methods.ts'
import { createDhtClient } from './hivemind-dht-client.ts'

let resources: AsyncDisposableStack
let transport: SwarmTransport
let dht: DhtClient

beforeEach(async () => {
  resources = new AsyncDisposableStack()
  transport = resources.use(await createLibp2pTransport({ connectTimeoutMs: 2000 }))
  dht = createDhtClient({ transport, rpc: createRpcClient(transport) })
})
afterEach(() => resources.disposeAsync())

async function startNode(
  bootstrap?: TestPeer,
  nodeId?: Uint8Array,
): Promise<{ readonly peer: TestPeer; readonly node: DhtNode }> {
  const peer = resources.use(await TestPeer.start())
  const node = await DhtNode.serve(peer, nodeId)
  if (bootstrap) await peer.connect(bootstrap.address)
  return { peer, node }
}

const valuesOf = (record: DhtRecord | undefined): unknown =>
  record && Object.fromEntries([...record.subkeys].map(([subkey, { value }]) => [subkey, value]))

it('returns records of several keys from one node, without unknown keys', async () => {
  const { peer, node } = await startNode()
  node.store('model.0', 'QmA', 1)
  node.store('model.1', 'QmA', 2)
  node.store('model.1', 'QmB', 3)
  await transport.connect([peer.address])
  const records = await dht.getMany(['model.0', 'model.1', 'model.2'])
  expect([...records].map(([key, record]) => [key, valuesOf(record)])).toEqual([
    ['model.0', { QmA: 1 }],
    ['model.1', { QmA: 2, QmB: 3 }],
  ])
  expect(node.finds).toBe(1)
})

it('asks nodes that others name, and merges their answers', async () => {
  const first = await startNode()
  const others = await Promise.all([startNode(first.peer), startNode(first.peer), startNode(first.peer)])
  first.node.introduce(...others.map(({ node }) => node))
  first.node.store('model.0', 'QmA', 1)
  others.forEach(({ node }, i) => node.store('model.0', `QmOther${i}`, i))
  await transport.connect([first.peer.address])
  const partial: unknown[] = []
  const records = await dht.getMany(['model.0'], {
    onPartial: (known) => partial.push(valuesOf(known().get('model.0'))),
  })
  expect(valuesOf(records.get('model.0'))).toEqual({ QmA: 1, QmOther0: 0, QmOther1: 1, QmOther2: 2 })
  expect(partial[0]).toEqual({ QmA: 1 })
  expect(others.every(({ peer }) => dht.hasAnswered(peer.id))).toBe(true)
})

it('asks each node of a larger swarm at most once, and finds the record at the nearest node', async () => {
  const nodes = await Promise.all(Array.from({ length: 30 }, () => startNode()))
  const [first] = nodes
  const nearest = await startNode(
    first!.peer,
    dhtIdOf('model.0').map((byte, i) => (i === 19 ? byte ^ 1 : byte)),
  )
  for (const { peer } of nodes.slice(1)) await peer.connect(first!.peer.address)
  for (const [i, { node }] of nodes.entries()) {
    const others = Array.from({ length: 6 }, (_, k) => nodes[(i + 1 + k * 4) % nodes.length]!.node)
    node.introduce(...others.filter((other) => other !== node))
  }
  nearest.node.introduce(...nodes.slice(20).map(({ node }) => node))
  nearest.node.store('model.0', 'QmNear', 1)
  await transport.connect([first!.peer.address])
  const records = await dht.getMany(['model.0'])
  expect(valuesOf(records.get('model.0'))).toEqual({ QmNear: 1 })
  expect(Math.max(...nodes.map(({ node }) => node.finds))).toBe(1)
})

describe('faulty nodes', () => {
  it('dead and silent nodes are skipped', async () => {
    const good = await startNode()
    good.node.store('model.0', 'QmA', 1)
    const silent = resources.use(await TestPeer.start())
    let asked = 0
    const ignore = (): Promise<never> => (asked++, silence())
    for (const { name } of [findMethod, pingMethod]) await serveUnary(silent, name, ignore)
    const unreachable = {
      nodeId: good.node.nodeId.map((b) => b ^ 1),
      peer: parsePeerId('QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY'),
    }
    good.node.neighbours.push(unreachable, { nodeId: good.node.nodeId.map((b) => b ^ 3), peer: silent.id })
    await transport.connect([silent.address, good.peer.address])
    await expect.poll(() => transport.initialPeers.length).toBe(2)
    const records = await dht.getMany(['model.0'])
    expect(valuesOf(records.get('model.0'))).toEqual({ QmA: 1 })
    // The second lookup does not ask them.
    const before = asked
    expect(before).toBeGreaterThan(0)
    expect(valuesOf((await dht.getMany(['model.0'])).get('model.0'))).toEqual({ QmA: 1 })
    expect(asked).toBe(before)
  })

  it('an answer without one result for each key is ignored', async () => {
    const liar = resources.use(await TestPeer.start())
    await serveUnary(liar, findMethod.name, async () =>
      encodeFindResponse({ results: [], nodeId: undefined }),
    )
    await transport.connect([liar.address])
    await expect(dht.getMany(['model.0'])).rejects.toThrow(PeerUnreachableError)
  })

  it('a clock that is an hour off, here or there, does not make records expire', async () => {
    const { peer, node } = await startNode()
    node.clockSkew = 3600
    node.store('model.0', 'QmA', 1, unixSeconds() + 3600 + 240)
    node.store('model.0', 'QmExpired', 1, unixSeconds() + 3600 - 10)
    await transport.connect([peer.address])
    expect(valuesOf((await dht.getMany(['model.0'])).get('model.0'))).toEqual({ QmA: 1 })
    expect(dht.now()).toBeCloseTo(unixSeconds() + 3600, 0)
  })

  it('ten thousand forged peers in a record cost little', async () => {
    const { peer, node } = await startNode()
    node.store('model.0', peer.id, 1)
    for (let i = 0; i < 10_000; i++) node.store('model.0', `QmFake${i}`, i)
    await transport.connect([peer.address])
    await dht.getMany(['model.1'])
    const records = await dht.getMany(['model.0'])
    const { subkeys } = records.get('model.0')!
    expect(subkeys.get(peer.id)?.value).toBe(1)
    expect(subkeys.size).toBe(2048)
  })
})

it('a ping measures the round trip', async () => {
  const { peer } = await startNode()
  await transport.connect([peer.address])
  const rttMs = await dht.ping(peer.id)
  expect(rttMs).toBeGreaterThan(0)
  expect(rttMs).toBeLessThan(5000)
})

it('the abort reason passes through unchanged', async () => {
  const silent = resources.use(await TestPeer.start())
  await serveUnary(silent, findMethod.name, silence)
  await transport.connect([silent.address])
  const reason = new Error('the user left')
  const controller = new AbortController()
  const getting = dht.getMany(['model.0'], { signal: controller.signal })
  setTimeout(() => controller.abort(reason), 50)
  await expect(getting).rejects.toBe(reason)
})
