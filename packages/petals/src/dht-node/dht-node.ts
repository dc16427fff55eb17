import { randomBytes } from 'node:crypto'
import { silentLogger, type AbortOptions, type Logger } from '@petals-chat/engine'
import { HivemindDhtClient, type LocalNode } from '../dht/hivemind-dht-client.ts'
import type { DhtClient, DhtRecord, GetManyOptions, PingOptions } from '../dht/dht-client.ts'
import { dhtIdBytes } from '../dht/dht-id.ts'
import { SwarmClock } from '../dht/swarm-clock.ts'
import type { ListeningTransport } from '../p2p/listening/listening-transport.ts'
import { peerIdBytes, type PeerId } from '../p2p/peer-id.ts'
import type { Reserve } from '../rpc/inbound-budget.ts'
import type { RpcClient } from '../rpc/rpc-client.ts'
import type { FindResult } from '../wire/dht.ts'
import { foundValue } from './found-value.ts'
import { HandOver } from './hand-over.ts'
import { nodeMethods } from './node-methods.ts'
import { PublishedRecords, type Publication, type Published } from './published-records.ts'
import { RecordStore, type RecordCheck } from './record-store.ts'
import { RoutingTable, type Neighbour } from './routing-table.ts'
import { serveDht } from './serve-dht.ts'
import type { ServedNode } from './served-node.ts'

export interface DhtNodeOptions {
  readonly transport: ListeningTransport
  readonly rpc: RpcClient
  /** Waits for memory for requests. */
  readonly reserve: Reserve
  /** Which records are kept for others. Default: all that are within bounds. */
  readonly accepts?: RecordCheck | undefined
  /**
   * Answer other nodes. Default true. A node behind a relay does not: it is a client of the DHT, as hivemind's are there.
   */
  readonly serves?: boolean | undefined
  readonly logger?: Logger | undefined
}

/** A node of hivemind's DHT (`hivemind/dht/node.py`). */
export interface DhtNode extends DhtClient, AsyncDisposable {
  readonly nodeId: Uint8Array
  readonly load: DhtNodeLoad
  /**
   * Makes this node known to the initial peers that the transport is connected to, and to the nodes near it.
   * @throws SwarmUnreachableError if none of them answers
   */
  bootstrap(options?: AbortOptions): Promise<void>
  /** Stores records at the nodes that are nearest to their keys, this one included. Sends each node one request or a few. */
  store(records: readonly Publication[], options?: AbortOptions): Promise<Published>
}

export interface DhtNodeLoad {
  readonly neighbours: number
  /** Bytes of the records that are kept. */
  readonly bytes: number
}

/** Neighbours in an answer: bucket_size of `hivemind/dht/node.py`. */
const told = 20
/** Bytes of values in one answer; with its neighbours it stays below the 4 MiB of a unary call. */
const maxFoundBytes = 3 * 1024 * 1024
const minFoundBytesPerKey = 4096
const sweepMs = 60_000

/** Starts a node. The caller keeps the transport, and disposes the node before it. */
export async function startDhtNode(options: DhtNodeOptions): Promise<DhtNode> {
  const node = new HivemindDhtNode(options)
  if (options.serves ?? true) await serveDht(options.transport, options.reserve, node)
  return node
}

class HivemindDhtNode implements DhtNode, LocalNode, ServedNode {
  readonly nodeId: Uint8Array = randomBytes(dhtIdBytes)
  readonly methods = nodeMethods(this.nodeId)
  readonly records: RecordStore
  readonly #transport: ListeningTransport
  readonly #serves: boolean
  readonly #table = new RoutingTable(this.nodeId)
  readonly #client: HivemindDhtClient
  readonly #published: PublishedRecords
  readonly #handOver: HandOver
  readonly #logger: Logger
  readonly #sweep: NodeJS.Timeout
  readonly #closing = new AbortController()
  /** Nodes that are asked whether they are alive, because others want their places. */
  readonly #doubted = new Set<PeerId>()

  constructor({ transport, rpc, accepts, serves = true, logger = silentLogger }: DhtNodeOptions) {
    const clock = new SwarmClock()
    this.#transport = transport
    this.#serves = serves
    this.#logger = logger
    this.records = new RecordStore(() => clock.now(), accepts)
    // A client's calls do not tell an id: no node should call it.
    const methods = serves ? this.methods : nodeMethods(new Uint8Array(0))
    this.methods = methods
    this.#client = new HivemindDhtClient({ transport, rpc, clock, node: this })
    const parts = { transport, rpc, method: methods.store, records: this.records, nodeId: this.nodeId }
    this.#published = new PublishedRecords({ ...parts, client: this.#client, serves })
    this.#handOver = new HandOver({ ...parts, table: this.#table })
    this.#sweep = setInterval(() => this.records.sweep(), sweepMs).unref()
  }

  get load(): DhtNodeLoad {
    return { neighbours: this.#table.size, bytes: this.records.bytes }
  }

  now(): number {
    return this.#client.now()
  }

  hasAnswered(peer: PeerId): boolean {
    return this.#client.hasAnswered(peer)
  }

  getMany(keys: readonly string[], options?: GetManyOptions): Promise<ReadonlyMap<string, DhtRecord>> {
    return this.#client.getMany(keys, options)
  }

  ping(peer: PeerId, options?: PingOptions): Promise<number> {
    return this.#client.ping(peer, options)
  }

  async bootstrap({ signal }: AbortOptions = {}): Promise<void> {
    const { initialPeers } = this.#transport
    await Promise.allSettled(initialPeers.map((peer) => this.ping(peer, { signal })))
    // Any key would do: the answers name nodes, and nodes near this one learn of it.
    await this.#client.lookUp([Buffer.from(this.nodeId).toString('hex')], { signal })
  }

  store(records: readonly Publication[], options?: AbortOptions): Promise<Published> {
    return this.#published.store(records, options)
  }

  find(keyIds: readonly Uint8Array[], except?: PeerId): readonly FindResult[] {
    const bytesPerKey = Math.max(minFoundBytesPerKey, Math.floor(maxFoundBytes / Math.max(1, keyIds.length)))
    const ids = new Map<PeerId, Uint8Array>()
    const idOf = (peer: PeerId): Uint8Array => {
      const id = ids.get(peer) ?? peerIdBytes(peer)
      ids.set(peer, id)
      return id
    }
    const find = (keyId: Uint8Array): FindResult => {
      const nearest = this.#table.nearest(keyId, told + 1).filter(({ peer }) => peer !== except)
      const neighbours = nearest.slice(0, told)
      return {
        ...foundValue(this.records.find(keyId), bytesPerKey),
        nearestNodeIds: neighbours.map(({ nodeId }) => nodeId),
        nearestPeerIds: neighbours.map(({ peer }) => idOf(peer)),
      }
    }
    // A key that is asked for a thousand times is looked up once.
    const found = new Map<string, FindResult>()
    return keyIds.map((keyId) => {
      const key = Buffer.from(keyId).toString('hex')
      const result = found.get(key) ?? find(keyId)
      found.set(key, result)
      return result
    })
  }

  meet(neighbour: Neighbour): void {
    if (neighbour.peer === this.#transport.localPeer || neighbour.nodeId.byteLength !== dhtIdBytes) return
    if (!this.#table.has(neighbour.peer) && this.#serves) this.#handOver.to(neighbour, this.#closing.signal)
    const oldest = this.#table.add(neighbour)
    if (oldest) void this.#doubt(oldest)
  }

  noteAnswer(peer: PeerId, nodeId: Uint8Array | undefined): void {
    if (nodeId) this.meet({ peer, nodeId: Uint8Array.from(nodeId) })
  }

  noteFailure(peer: PeerId): void {
    this.#table.remove(peer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweep)
    this.#closing.abort(new Error('The node was closed.'))
  }

  async #doubt({ peer }: Neighbour): Promise<void> {
    if (this.#doubted.has(peer)) return
    this.#doubted.add(peer)
    try {
      await this.ping(peer, { signal: this.#closing.signal })
    } catch (error) {
      this.#logger.debug({ err: error, peer }, 'a node of the DHT does not answer')
      this.#table.remove(peer)
    } finally {
      this.#doubted.delete(peer)
    }
  }
}
