import { peerIdFromBytes, type PeerId } from '../p2p/peer-id.ts'
import type { FindResult } from '../wire/dht.ts'
import { dhtIdBytes, dhtIdOf, xorDistance } from './dht-id.ts'
import type { DhtRecord } from './dht-client.ts'
import { EntryPool } from './entry-pool.ts'
import { RecordMerger } from './record-merger.ts'

/** hivemind stores a record on 5 nodes and searches among the 20 nearest (bucket_size of `hivemind/dht/node.py`). */
const beamSize = 20
/** Nodes asked at a time, and in all: these limits bound the cost of a DHT full of forged nodes. */
const concurrency = 8
const maxNodes = 128
/** Nodes that are remembered as candidates, at most. */
const maxCandidates = 2048

/** What a lookup needs from the network. */
export interface LookupNetwork {
  /** Asks a node, and returns one result for each key. Rejects if it does not answer in time. */
  find(peer: PeerId, keyIds: readonly Uint8Array[]): Promise<readonly FindResult[]>
  readonly localPeer: PeerId
  /** Reports whether a subkey is a peer that has answered. */
  hasAnswered(subkey: string): boolean
  /** The swarm's time, Unix seconds. */
  now(): number
}

/** A node, and the upper bits of its distance to a key (`xorDistance`). */
export interface LocatedNode {
  readonly peer: PeerId
  readonly distance: number
}

interface Key {
  readonly name: string
  readonly id: Uint8Array
  readonly merger: RecordMerger
}

interface Node {
  readonly peer: PeerId
  /** Distance to each key, in the order of the keys; undefined for a seed whose id no answer has told. */
  distances: readonly number[] | undefined
  state: 'candidate' | 'asked' | 'failed'
}

/**
 * Nearest-node search for many keys at once (`DHTNode.find_nearest_nodes` in `hivemind/dht/node.py`). Each node is asked
 * once, for all keys that it is near to. In a swarm of up to 20 nodes, every node is asked for every key.
 */
export class Lookup {
  /** Nodes that answered. */
  readonly answered: PeerId[] = []
  readonly #network: LookupNetwork
  readonly #pool: EntryPool
  readonly #keys: readonly Key[]
  readonly #nodes = new Map<PeerId, Node>()
  readonly #onAnswer: () => void
  #asked = 0

  constructor(
    keys: readonly string[],
    seeds: readonly PeerId[],
    network: LookupNetwork,
    onAnswer: () => void,
  ) {
    this.#network = network
    this.#onAnswer = onAnswer
    this.#pool = new EntryPool((subkey) => network.hasAnswered(subkey))
    this.#keys = keys.map((name) => {
      const id = dhtIdOf(name)
      return { name, id, merger: new RecordMerger(id, this.#pool) }
    })
    for (const peer of seeds) this.#nodes.set(peer, { peer, distances: undefined, state: 'candidate' })
  }

  async run(signal: AbortSignal | undefined): Promise<void> {
    const running = new Set<Promise<void>>()
    while (true) {
      signal?.throwIfAborted()
      const next = running.size < concurrency && this.#asked < maxNodes ? this.#next() : undefined
      if (next) {
        const asking = this.#ask(...next).finally(() => running.delete(asking))
        running.add(asking)
      } else if (running.size === 0) return
      else await Promise.race(running)
    }
  }

  records(): ReadonlyMap<string, DhtRecord> {
    const now = this.#network.now()
    const isRead = this.#pool.selection()
    const built = this.#keys.map(({ name, merger }) => [name, merger.build(now, isRead)] as const)
    return new Map(built.filter((entry): entry is readonly [string, DhtRecord] => entry[1] !== undefined))
  }

  /** Returns the nodes that answered and whose ids are known, by their distance to a key, the nearest first. */
  nearest(name: string): readonly LocatedNode[] {
    const k = this.#keys.findIndex((key) => key.name === name)
    const answered = new Set(this.answered)
    return [...this.#nodes.values()]
      .filter(({ peer, distances }) => answered.has(peer) && distances !== undefined)
      .map(({ peer, distances }) => ({ peer, distance: distances![k]! }))
      .sort((a, b) => a.distance - b.distance)
  }

  /** Returns the next node to ask, and for which keys: the one that is near to the most keys. */
  #next(): readonly [Node, readonly Key[]] | undefined {
    const alive = [...this.#nodes.values()].filter(({ state }) => state !== 'failed')
    const seed = alive.find(({ state, distances }) => state === 'candidate' && !distances)
    if (seed) return [seed, this.#keys]
    const located = alive.filter(({ distances }) => distances !== undefined)
    const wanted = new Map<Node, Key[]>()
    this.#keys.forEach((key, k) => {
      const nearest =
        located.length > beamSize ? located.toSorted((a, b) => a.distances![k]! - b.distances![k]!) : located
      for (const node of nearest.slice(0, beamSize)) {
        if (node.state !== 'candidate') continue
        wanted.set(node, [...(wanted.get(node) ?? []), key])
      }
    })
    return [...wanted].sort(([, a], [, b]) => b.length - a.length)[0]
  }

  async #ask(node: Node, keys: readonly Key[]): Promise<void> {
    node.state = 'asked'
    this.#asked++
    try {
      const results = await this.#network.find(
        node.peer,
        keys.map(({ id }) => id),
      )
      this.answered.push(node.peer)
      results.forEach((result, i) => {
        keys[i]!.merger.add(result, this.#network.now())
        this.#learn(result.nearestNodeIds, result.nearestPeerIds)
      })
      this.#onAnswer()
    } catch {
      node.state = 'failed' // stale, behind NAT, hostile or not a node at all: other nodes know the same
    }
  }

  #learn(nodeIds: readonly Uint8Array[], peerIds: readonly Uint8Array[]): void {
    if (nodeIds.length !== peerIds.length) return
    nodeIds.slice(0, beamSize).forEach((id, i) => {
      const peer = peerIdFromBytes(peerIds[i]!)
      if (!peer || id.byteLength !== dhtIdBytes || peer === this.#network.localPeer) return
      const known = this.#nodes.get(peer)
      if (known?.distances || (!known && this.#nodes.size >= maxCandidates)) return
      const distances = this.#keys.map((key) => xorDistance(key.id, id))
      if (known) known.distances = distances
      else this.#nodes.set(peer, { peer, distances, state: 'candidate' })
    })
  }
}
