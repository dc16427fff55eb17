import type { AbortOptions } from '@petals-chat/engine'
import { dhtIdOf, xorDistance } from '../dht/dht-id.ts'
import type { HivemindDhtClient } from '../dht/hivemind-dht-client.ts'
import type { ListeningTransport } from '../p2p/listening/listening-transport.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { RpcClient } from '../rpc/rpc-client.ts'
import type { StoredItem } from '../wire/dht.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import type { MsgpackInput } from '../wire/msgpack-values.ts'
import type { NodeMethods } from './node-methods.ts'
import type { RecordStore } from './record-store.ts'

/** A value that this node publishes under a subkey of a key. */
export interface Publication {
  readonly key: string
  readonly subkey: string
  readonly value: MsgpackInput
  /** Unix seconds of the swarm's clock. */
  readonly expirationTime: number
}

export interface Published {
  /** Keys with a record that no node has stored. */
  readonly failed: readonly string[]
  /** Other nodes that have stored something. */
  readonly nodes: number
}

export interface PublishedRecordsOptions {
  readonly transport: Pick<ListeningTransport, 'localPeer'>
  readonly rpc: RpcClient
  readonly client: HivemindDhtClient
  readonly method: NodeMethods['store']
  readonly records: RecordStore
  readonly nodeId: Uint8Array
  /** This node can be asked, so that it is one of those that store. */
  readonly serves: boolean
}

/** Nodes that store a record (num_replicas of `hivemind/dht/node.py`), and those that are tried. */
const replicas = 5
const maxTried = 20
/** Bytes of one request, which may have 4 MiB. */
const maxRequestBytes = 1024 * 1024
const timeoutMs = 3000

interface Pending {
  readonly item: StoredItem
  readonly publication: Publication
  /** Nodes that have not been tried, the nearest first. */
  readonly candidates: PeerId[]
  stored: number
}

/** Stores records at the nodes that are nearest to their keys (`store_many` of `hivemind/dht/node.py`). */
export class PublishedRecords {
  readonly #options: PublishedRecordsOptions

  constructor(options: PublishedRecordsOptions) {
    this.#options = options
  }

  async store(publications: readonly Publication[], { signal }: AbortOptions = {}): Promise<Published> {
    const pending = await this.#plan(publications, signal)
    const nodes = new Set<PeerId>()
    for (let tried = 0; tried < maxTried; tried++) {
      const requests = nextRequests(pending)
      if (requests.size === 0) break
      signal?.throwIfAborted()
      await Promise.all([...requests].map(([peer, parts]) => this.#storeAt(peer, parts, nodes, signal)))
    }
    const failed = pending.filter(({ stored }) => stored === 0).map(({ publication }) => publication.key)
    return { failed, nodes: nodes.size }
  }

  async #plan(
    publications: readonly Publication[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Pending[]> {
    const { client, transport, serves, nodeId } = this.#options
    const keys = [...new Set(publications.map(({ key }) => key))]
    const lookup = await client.lookUp(keys, { signal })
    return publications.map((publication) => {
      const item = itemOf(publication)
      const own = { peer: transport.localPeer, distance: xorDistance(nodeId, item.key) }
      const nodes = [...lookup.nearest(publication.key), ...(serves ? [own] : [])]
      const candidates = nodes.sort((a, b) => a.distance - b.distance).map(({ peer }) => peer)
      return { publication, item, stored: 0, candidates: candidates.slice(0, maxTried) }
    })
  }

  async #storeAt(
    peer: PeerId,
    parts: readonly Pending[],
    nodes: Set<PeerId>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (peer === this.#options.transport.localPeer) return this.#storeHere(parts)
    for (const some of inRequests(parts)) {
      const items = some.map(({ item }) => item)
      const { rpc, method } = this.#options
      try {
        const { stored } = await rpc.unary(peer, method, items, { timeoutMs, signal })
        if (stored.length !== items.length) continue
        some.forEach((part, i) => (part.stored += stored[i] ? 1 : 0))
        if (stored.includes(true)) nodes.add(peer)
      } catch {
        signal?.throwIfAborted() // the node is gone: the next one is tried
      }
    }
  }

  #storeHere(parts: readonly Pending[]): void {
    for (const part of parts) {
      const { item, publication } = part
      const record = { keyId: item.key, subkey: publication.subkey, storer: undefined }
      const { value, expirationTime } = item
      if (this.#options.records.store({ ...record, value, expirationTime })) part.stored++
    }
  }
}

/** Takes as many nodes for each record as it lacks, and groups the records by node. */
function nextRequests(pending: readonly Pending[]): ReadonlyMap<PeerId, readonly Pending[]> {
  const requests = new Map<PeerId, Pending[]>()
  for (const part of pending) {
    for (const peer of part.candidates.splice(0, replicas - part.stored)) {
      const parts = requests.get(peer) ?? []
      parts.push(part)
      requests.set(peer, parts)
    }
  }
  return requests
}

function* inRequests(parts: readonly Pending[]): Generator<readonly Pending[]> {
  let some: Pending[] = []
  let bytes = 0
  for (const part of parts) {
    const length = part.item.value.byteLength + part.item.subkey.byteLength + 64
    if (some.length > 0 && bytes + length > maxRequestBytes) {
      yield some
      some = []
      bytes = 0
    }
    some.push(part)
    bytes += length
  }
  yield some
}

const itemOf = ({ key, subkey, value, expirationTime }: Publication): StoredItem => ({
  key: dhtIdOf(key),
  subkey: encodeMsgpack(subkey),
  value: encodeMsgpack(value),
  expirationTime,
  inCache: false,
})
