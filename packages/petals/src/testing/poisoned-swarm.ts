import { peerIdFromBytes, type PeerId } from '../p2p/peer-id.ts'
import { TestPeer } from '../p2p/testing/test-peer.ts'
import { findResultTypes, type FindResult } from '../wire/dht.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { DhtDictionary, Float, Tuple, type MsgpackInput } from '../wire/msgpack-values.ts'
import { ClientProcess, type AskedOfClient, type ClientReport } from './client-process.ts'
import { DhtNode, unixSeconds } from './dht-node.ts'
import { dhtPrefix, FakeSwarm } from './fake-swarm.ts'

/** A peer id that no peer has. */
export function forgedPeer(index: number): PeerId {
  const bytes = new Uint8Array(34).fill(9)
  bytes.set([0x12, 32])
  new DataView(bytes.buffer).setUint32(2, index)
  return peerIdFromBytes(bytes)!
}

/** An announcement of a server that holds all six blocks. */
export const announcement = (throughput: number, extra: Readonly<Record<string, MsgpackInput>> = {}): Tuple =>
  new Tuple([2, new Float(throughput), new Map(Object.entries({ start_block: 0, end_block: 6, ...extra }))])

const entriesOf = (peers: readonly number[], value: MsgpackInput): DhtDictionary => {
  const encoded = encodeMsgpack(value)
  const expirationTime = unixSeconds() + 240
  return new DhtDictionary(
    peers.map((index) => ({ subkey: forgedPeer(index), value: encoded, expirationTime })),
  )
}

const found = (dictionary: DhtDictionary): FindResult => ({
  type: findResultTypes.dictionary,
  value: encodeMsgpack(dictionary),
  expirationTime: unixSeconds() + 240,
  nearestNodeIds: [],
  nearestPeerIds: [],
})

const range = (start: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => start + i)

/** What hostile nodes answer to each key: values that fit into an answer just so, that don't, and many small ones. */
const lies: readonly ((node: number) => FindResult)[] = [
  (node) => found(entriesOf(range(100_000 * node, 1), announcement(1, { public_name: 'x'.repeat(680_000) }))),
  (node) =>
    found(entriesOf(range(100_000 * node, 1), announcement(1, { public_name: 'x'.repeat(5_000_000) }))),
  (node) => found(entriesOf(range(100_000 * node, 4500), announcement(1e5))),
]

export interface PoisonOptions {
  /** Servers that don't exist, in the records of every block. */
  readonly forged: number
  /** Nodes that answer with large values. */
  readonly hostileNodes: number
  readonly rounds: number
}

export interface PoisonReport {
  /** Every answer was that of an undisturbed swarm. */
  readonly identical: boolean
  /** Only servers that exist have answered. */
  readonly honest: boolean
  /** By how much the memory of the client's process has grown in the end, and at most. */
  readonly grownMiB: number
  readonly mostGrownMiB: number
}

/** Asks a swarm by a client in a process of its own, then poisons its DHT and asks again. */
export async function measurePoison({ forged, hostileNodes, rounds }: PoisonOptions): Promise<PoisonReport> {
  await using swarm = await FakeSwarm.start()
  await using hostile = new AsyncDisposableStack()
  const servers = [await swarm.addServer(0, 3), await swarm.addServer(3, 6)]
  await using client = new ClientProcess()
  const dialogue = [swarm.inputs(20, 1), swarm.inputs(1, 2), swarm.inputs(1, 3)]
  const asked: AskedOfClient = {
    initialPeers: [swarm.bootstrap.address],
    dhtPrefix,
    numBlocks: swarm.numBlocks,
    inputs: dialogue.map(({ shape, data }) => ({ shape, data: [...data] })),
    rounds,
  }
  const before = await client.ask(asked)
  for (let node = 0; node < hostileNodes; node++) await addHostileNode(swarm, hostile, node)
  const record = announcement(1e5)
  for (const index of range(0, forged))
    for (let block = 0; block < swarm.numBlocks; block++)
      swarm.dht.store(`${dhtPrefix}.${block}`, forgedPeer(index), record)
  const after = await client.ask(asked)
  const expected = [...swarm.expected(...dialogue)].join()
  const reports: readonly ClientReport[] = [before, after]
  return {
    identical: reports.every(({ outputs }) => outputs.every((each) => each.join() === expected)),
    honest:
      after.peers.toSorted().join() ===
      servers
        .map(({ id }) => id)
        .toSorted()
        .join(),
    grownMiB: after.rssMiB - before.rssMiB,
    mostGrownMiB: after.mostRssMiB - before.rssMiB,
  }
}

async function addHostileNode(swarm: FakeSwarm, owner: AsyncDisposableStack, node: number): Promise<void> {
  const peer = owner.use(await TestPeer.start())
  await peer.connect(swarm.bootstrap.address)
  const dht = await DhtNode.serve(peer)
  const lie = lies[node % lies.length]!(node + 1)
  dht.find = () => lie
  swarm.dht.introduce(dht)
}
