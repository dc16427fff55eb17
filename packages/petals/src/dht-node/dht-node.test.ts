import { generateKeyPairSync, constants, sign } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { dhtIdBytes, dhtIdOf } from '../dht/dht-id.ts'
import { createListeningTransport } from '../p2p/listening/listening-transport.ts'
import { createLibp2pTransport } from '../p2p/libp2p-transport.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { InboundBudget } from '../rpc/inbound-budget.ts'
import type { RpcClient } from '../rpc/rpc-client.ts'
import { createRpcClient } from '../rpc/transport-rpc-client.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { Float, Tuple } from '../wire/msgpack-values.ts'
import { startDhtNode, type DhtNode } from './dht-node.ts'
import { HandOver } from './hand-over.ts'
import { nodeMethods } from './node-methods.ts'
import { RecordStore, type NewRecord } from './record-store.ts'
import { RoutingTable, sharedBits } from './routing-table.ts'

let resources = new AsyncDisposableStack()
afterEach(async () => {
  await resources.disposeAsync()
  resources = new AsyncDisposableStack()
})

const peer = (i: number): PeerId => `peer-${i}` as PeerId
const id = (...bytes: readonly number[]): Uint8Array => {
  const full = new Uint8Array(dhtIdBytes)
  full.set(bytes)
  return full
}

interface TestNode {
  readonly node: DhtNode
  readonly addresses: readonly string[]
  readonly peer: PeerId
  stop(): Promise<void>
}

async function startNode(initialPeers: readonly string[] = []): Promise<TestNode> {
  const transport = resources.use(
    await createListeningTransport({ connectTimeoutMs: 5000, listen: ['/ip4/127.0.0.1/tcp/0'] }),
  )
  if (initialPeers.length > 0) await transport.connect(initialPeers)
  const { reserve } = new InboundBudget(2e8)
  const node = resources.use(await startDhtNode({ transport, rpc: createRpcClient(transport), reserve }))
  if (initialPeers.length > 0) await node.bootstrap()
  const stop = async (): Promise<void> => await transport[Symbol.asyncDispose]()
  return { node, addresses: transport.addresses, peer: transport.localPeer, stop }
}

const record = (key: string, subkey: string, value: string, seconds = 60) => ({
  key,
  subkey,
  value,
  expirationTime: Date.now() / 1000 + seconds,
})

describe('a DHT of nodes without Python', () => {
  it('finds what another node has stored, after the bootstrap node has gone, too', async () => {
    const first = await startNode()
    const others = [await startNode(first.addresses), await startNode(first.addresses)]
    const [a, b] = [others[0]!, others[1]!]
    const { failed, nodes } = await a.node.store([
      record('block.0', a.peer, 'mine'),
      record('block.1', a.peer, 'too'),
    ])
    expect(failed).toEqual([])
    expect(nodes).toBe(2)
    expect(first.node.load.neighbours).toBe(2)
    await first.stop()
    const found = await b.node.getMany(['block.0', 'block.1', 'block.2'])
    expect(found.get('block.0')!.subkeys.get(a.peer)!.value).toBe('mine')
    expect([...found.keys()].sort()).toEqual(['block.0', 'block.1'])
  })

  it('hands records over to a node that comes later', async () => {
    const first = await startNode()
    await first.node.store([record('block.0', first.peer, 'early')])
    const late = await startNode(first.addresses)
    await expect.poll(() => late.node.load.bytes).toBeGreaterThan(0)
  })

  it('answers clients, which no node adds to its table', async () => {
    const first = await startNode()
    const client = resources.use(await createLibp2pTransport({ connectTimeoutMs: 5000 }))
    await client.connect(first.addresses)
    const rpc = createRpcClient(client)
    const { find, ping } = nodeMethods(new Uint8Array(0))
    const { nodeId } = await rpc.unary(first.peer, ping, undefined)
    expect([...nodeId!]).toEqual([...first.node.nodeId])
    const { results } = await rpc.unary(first.peer, find, [dhtIdOf('nothing')])
    expect(results).toMatchObject([{ type: 0, nearestPeerIds: [] }])
    expect(first.node.load.neighbours).toBe(0)
  })

  it('refuses a request for more keys than any model has blocks, and goes on', async () => {
    const first = await startNode()
    const client = resources.use(await createLibp2pTransport({ connectTimeoutMs: 5000 }))
    await client.connect(first.addresses)
    const rpc = createRpcClient(client)
    const { find, ping } = nodeMethods(id(1))
    const keys = Array.from({ length: 2000 }, (_, i) => dhtIdOf(`${i}`))
    await expect(rpc.unary(first.peer, find, keys)).rejects.toThrow(/at most 1024 keys/)
    await rpc.unary(first.peer, ping, undefined)
  })
})

describe('the records that a node keeps', () => {
  let now = 1000
  const store = (limits = {}) => new RecordStore(() => now, undefined, limits)
  const entry = (subkey: string | undefined, changes: Partial<NewRecord> = {}): NewRecord => ({
    keyId: id(1),
    subkey,
    value: Uint8Array.of(1),
    expirationTime: now + 60,
    storer: peer(0),
    ...changes,
  })

  it('are replaced by later ones, and expire', () => {
    now = 1000
    const records = store()
    expect(records.store(entry('a'))).toBe(true)
    expect(records.store(entry('a'))).toBe(false)
    expect(records.store(entry('a', { expirationTime: now + 61 }))).toBe(true)
    expect(records.find(id(1))).toHaveLength(1)
    now += 62
    expect(records.find(id(1))).toEqual([])
    expect(records.bytes).toBe(0)
  })

  it.each([
    ['expired ones', { expirationTime: 900 }],
    ['those that are to last for days', { expirationTime: 1000 + 86_400 }],
    ['those without a time', { expirationTime: NaN }],
    ['long ones', { value: new Uint8Array(1_000_000) }],
    ['those with endless subkeys', { subkey: 'x'.repeat(100_000) }],
  ])('do not include %s', (_, changes) => {
    now = 1000
    expect(store().store(entry('a', changes))).toBe(false)
  })

  it('let no one else speak for a peer that has spoken itself', () => {
    now = 1000
    const records = store()
    expect(records.store(entry(peer(1), { storer: peer(2), expirationTime: now + 600 }))).toBe(true)
    expect(records.store(entry(peer(1), { storer: peer(1), value: Uint8Array.of(7) }))).toBe(true)
    expect(records.store(entry(peer(1), { storer: peer(2), expirationTime: now + 900 }))).toBe(false)
    expect(records.find(id(1)).map(({ value }) => [...value])).toEqual([[7]])
  })

  it('are not hidden by a value without a subkey', () => {
    now = 1000
    const records = store()
    records.store(entry('a'))
    expect(records.store(entry(undefined, { expirationTime: now + 600 }))).toBe(false)
    expect(records.find(id(1))).toHaveLength(1)
  })

  it('stay within their memory: those who store the most give way', () => {
    now = 1000
    const records = store({ bytes: 100_000 })
    expect(records.store(entry(peer(1), { storer: peer(1) }))).toBe(true)
    for (let i = 0; i < 10_000; i++)
      records.store(entry(`flood-${i}`, { keyId: id(2, i >> 8, i & 255), storer: peer(2) }))
    expect(records.bytes).toBeLessThanOrEqual(100_000)
    expect(records.store(entry(peer(3), { storer: peer(3) }))).toBe(true)
    expect(records.find(id(1)).map(({ subkey }) => subkey)).toEqual([peer(1), peer(3)])
  })

  it('of a full key are given up by the peer with the most of them', () => {
    now = 1000
    const records = store({ subkeysPerKey: 6 })
    for (let i = 0; i < 4; i++) records.store(entry(`a-${i}`, { storer: peer(1) }))
    for (let i = 0; i < 2; i++) records.store(entry(`b-${i}`, { storer: peer(2), expirationTime: now + 30 }))
    expect(records.store(entry('a-9', { storer: peer(1) }))).toBe(false)
    expect(records.store(entry('b-9', { storer: peer(2) }))).toBe(true)
    expect(records.store(entry('b-8', { storer: peer(2) }))).toBe(false)
    now += 40
    expect(records.store(entry('a-9', { storer: peer(1) }))).toBe(true)
    expect(records.find(id(1)).map(({ subkey }) => subkey)).toEqual(['a-1', 'a-2', 'a-3', 'b-9', 'a-9'])
  })

  it('leave room in a flooded key for what peers say of themselves', () => {
    now = 1000
    const records = store({ subkeysPerKey: 50 })
    for (let i = 0; i < 500; i++) records.store(entry(`flood-${i}`, { storer: peer(2) }))
    expect(records.store(entry(peer(1), { storer: peer(1) }))).toBe(true)
    expect(records.find(id(1))).toHaveLength(50)
  })

  it('include protected ones only with the signature of their owner', () => {
    now = 1000
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const { n, e } = publicKey.export({ format: 'jwk' })
    const field = (bytes: Buffer): Buffer => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(bytes.length)
      return Buffer.concat([length, bytes])
    }
    const number = (text: string): Buffer => Buffer.concat([Buffer.of(0), Buffer.from(text, 'base64url')])
    const key = Buffer.concat([
      field(Buffer.from('ssh-rsa')),
      field(Buffer.from(e!, 'base64url')),
      field(number(n!)),
    ])
    const subkey = `[owner:ssh-rsa ${key.toString('base64')}]`
    const value = encodeMsgpack('mine')
    const signed = encodeMsgpack(new Tuple([id(1), encodeMsgpack(subkey), value, new Float(now + 60)]))
    const padding = constants.RSA_PKCS1_PSS_PADDING
    const signature = sign('sha256', signed, { key: privateKey, padding, saltLength: 222 }).toString('base64')
    const records = store()
    expect(records.store(entry(subkey, { value }))).toBe(false)
    const whole = Buffer.concat([value, Buffer.from(`[signature:${signature}]`)])
    expect(records.store(entry(subkey, { value: whole, expirationTime: now + 61 }))).toBe(false)
    expect(records.store(entry(subkey, { value: whole }))).toBe(true)
  })
})

describe('what a node hands over', () => {
  const now = Date.now() / 1000
  const handOver = (keys: number) => {
    const records = new RecordStore(() => now)
    let [looks, items] = [0, 0]
    for (let i = 0; i < keys; i++) {
      const keyId = id(1, i >> 8, i & 255)
      records.store({
        keyId,
        subkey: 'a',
        value: Uint8Array.of(1),
        expirationTime: now + 60,
        storer: undefined,
      })
    }
    const find = records.find.bind(records)
    records.find = (keyId) => {
      looks++
      return find(keyId)
    }
    const unary = async (_peer: PeerId, _method: unknown, sent: readonly unknown[]) =>
      void (items = sent.length)
    const rpc = { unary } as unknown as RpcClient
    const { store: method } = nodeMethods(id(1))
    const table = new RoutingTable(id(1))
    const over = new HandOver({ rpc, method, records, table, nodeId: id(1) })
    return { over, table, counts: () => ({ looks, items }) }
  }
  const { signal } = new AbortController()

  it('is looked for once in a while for each node, however often it calls', () => {
    const { over, counts } = handOver(10)
    for (let i = 0; i < 50; i++) over.to({ peer: peer(1), nodeId: id(2, i) }, signal)
    expect(counts()).toEqual({ looks: 10, items: 10 })
  })

  it('is looked for among a limited number of keys', () => {
    const { over, counts } = handOver(3000)
    over.to({ peer: peer(1), nodeId: id(2) }, signal)
    expect(counts()).toEqual({ looks: 1024, items: 1024 })
  })
})

describe('the routing table', () => {
  it('knows the nearest nodes of any id, as a search of all of them does', () => {
    const table = new RoutingTable(id(0x80))
    const nodes = Array.from({ length: 15 }, (_, i) => ({ nodeId: id(i * 17, 255 - i), peer: peer(i) }))
    for (const node of nodes) table.add(node)
    for (const wanted of [id(0), id(0x80), id(0xff), id(0x41)]) {
      const distance = ({ nodeId }: { nodeId: Uint8Array }): number =>
        (nodeId[0]! ^ wanted[0]!) * 256 + (nodeId[1]! ^ wanted[1]!)
      const expected = nodes.toSorted((a, b) => distance(a) - distance(b)).slice(0, 5)
      expect(table.nearest(wanted, 5)).toEqual(expected)
    }
  })

  it('keeps old nodes of a full bucket, and replaces one that fails by the latest that waits', () => {
    const table = new RoutingTable(id(0))
    const added = Array.from({ length: 25 }, (_, i) => table.add({ nodeId: id(0x80, i), peer: peer(i) }))
    expect(table.size).toBe(20)
    expect(added[20]).toEqual({ nodeId: id(0x80, 0), peer: peer(0) })
    expect(table.has(peer(24))).toBe(false)
    table.remove(peer(0))
    expect(table.has(peer(24))).toBe(true)
    expect(table.size).toBe(20)
  })

  it('gives a peer one place, whatever ids it claims', () => {
    const table = new RoutingTable(id(0))
    for (let i = 0; i < 1000; i++) table.add({ nodeId: id(1 + (i % 255), i % 7), peer: peer(1) })
    expect(table.size).toBe(1)
  })

  it('counts common bits', () => {
    expect(sharedBits(id(0), id(0x80))).toBe(0)
    expect(sharedBits(id(0), id(0, 1))).toBe(15)
    expect(sharedBits(id(5), id(5))).toBe(160)
  })
})
