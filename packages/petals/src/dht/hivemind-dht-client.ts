import type { AbortOptions } from '@petals-chat/engine'
import { SwarmUnreachableError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { SwarmTransport } from '../p2p/swarm-transport.ts'
import type { RpcClient } from '../rpc/rpc-client.ts'
import type { FindResponse, FindResult } from '../wire/dht.ts'
import type { DhtClient, DhtRecord, GetManyOptions, PingOptions } from './dht-client.ts'
import { findMethod, pingMethod } from './dht-methods.ts'
import { findInParts } from './find-in-parts.ts'
import { Lookup } from './lookup.ts'
import { SwarmClock } from './swarm-clock.ts'

/** Timeout of one call: `wait_timeout` of `hivemind/dht/node.py`. */
const callTimeoutMs = 3000

/** A node that does not answer is not asked for 5 s, then 10 s, … (blacklist_time and backoff of `hivemind/dht/node.py`). */
const blacklistMs = 5000
const maxBlacklistMs = 300_000

/** Nodes besides the initial peers at which a lookup starts: enough to survive those, few enough to ask each for every key. */
const maxSeeds = 8

/** Peers that are remembered, at most, as having answered and as having failed. */
const maxRemembered = 4096

interface Failures {
  readonly count: number
  readonly until: number
}

export interface DhtClientOptions {
  readonly transport: Pick<SwarmTransport, 'initialPeers' | 'localPeer'>
  readonly rpc: RpcClient
  readonly clock?: SwarmClock
  /** This process's own node of the DHT. Default: it has none. */
  readonly node?: LocalNode | undefined
}

/** A node of the DHT in this process, where lookups start. */
export interface LocalNode {
  /** Calls in the name of the node, so that others learn of it. */
  readonly methods: { readonly ping: typeof pingMethod; readonly find: typeof findMethod }
  find(keyIds: readonly Uint8Array[]): readonly FindResult[]
  /** Called when another node answers or does not; `nodeId` is undefined if it does not tell its id. */
  noteAnswer(peer: PeerId, nodeId: Uint8Array | undefined): void
  noteFailure(peer: PeerId): void
}

/** Creates a client of the swarm's DHT. Its lookups start at the peers that the transport connected to. */
export function createDhtClient(options: DhtClientOptions): DhtClient {
  return new HivemindDhtClient(options)
}

/** A client of the DHT; with `node`, the client's side of a node. */
export class HivemindDhtClient implements DhtClient {
  readonly #transport: DhtClientOptions['transport']
  readonly #rpc: RpcClient
  readonly #clock: SwarmClock
  readonly #node: LocalNode | undefined
  readonly #answered = new Set<PeerId>()
  readonly #failures = new Map<PeerId, Failures>()
  /** Keys to ask for at a time of nodes whose answers would be too long. */
  readonly #mostKeys = new Map<PeerId, number>()
  /** Settles once the swarm's time is known, or no node told it. */
  #clockSet: Promise<void> | undefined

  constructor({ transport, rpc, clock = new SwarmClock(), node }: DhtClientOptions) {
    this.#transport = transport
    this.#rpc = rpc
    this.#clock = clock
    this.#node = node
  }

  async getMany(
    keys: readonly string[],
    options: GetManyOptions = {},
  ): Promise<ReadonlyMap<string, DhtRecord>> {
    return (await this.lookUp(keys, options)).records()
  }

  /** Searches the nodes near to the keys. @throws SwarmUnreachableError if no node answers */
  async lookUp(keys: readonly string[], { signal, onPartial }: GetManyOptions = {}): Promise<Lookup> {
    const seeds = this.#seeds()
    this.#clockSet ??= this.#setClock(this.#transport.initialPeers, signal)
    const network = {
      find: (peer: PeerId, keyIds: readonly Uint8Array[]) => this.#find(peer, keyIds, signal),
      localPeer: this.#transport.localPeer,
      hasAnswered: (subkey: string) => this.hasAnswered(subkey as PeerId),
      now: () => this.now(),
    }
    const lookup: Lookup = new Lookup(keys, seeds, network, () => onPartial?.(() => lookup.records()))
    await lookup.run(signal)
    if (lookup.answered.length > 0) return lookup
    throw new SwarmUnreachableError(
      seeds.length === 1
        ? 'its only known peer does not answer'
        : `none of its ${seeds.length} known peers answers`,
    )
  }

  async ping(peer: PeerId, { signal, timeoutMs = callTimeoutMs }: PingOptions = {}): Promise<number> {
    let startedAt = 0
    let sentAt = 0
    const onOpen = (): void => {
      startedAt = performance.now()
      sentAt = this.#clock.wallTime()
    }
    const method = this.#node?.methods.ping ?? pingMethod
    const { dhtTime, nodeId } = await this.#rpc.unary(peer, method, undefined, { signal, timeoutMs, onOpen })
    const rttMs = performance.now() - startedAt
    this.#clock.addSample(peer, dhtTime, sentAt, this.#clock.wallTime())
    this.#noteAnswer(peer)
    this.#node?.noteAnswer(peer, nodeId)
    return rttMs
  }

  hasAnswered(peer: PeerId): boolean {
    return this.#answered.has(peer)
  }

  now(): number {
    return this.#clock.now()
  }

  /** Returns the initial peers and the nodes that answered last; the own node knows the latter by itself. */
  #seeds(): readonly PeerId[] {
    if (this.#node) return [this.#transport.localPeer, ...this.#transport.initialPeers]
    return [...new Set([...this.#transport.initialPeers, ...[...this.#answered].slice(-maxSeeds)])]
  }

  async #setClock(peers: readonly PeerId[], signal: AbortSignal | undefined): Promise<void> {
    await Promise.any(peers.map((peer) => this.ping(peer, { signal }))).catch(() => {
      this.#clockSet = undefined // asked again at the next lookup; until then this machine's clock is used
    })
  }

  /** Returns an answer only when the swarm's time is known, because expirations depend on it. */
  async #find(
    peer: PeerId,
    keyIds: readonly Uint8Array[],
    signal: AbortOptions['signal'],
  ): Promise<readonly FindResult[]> {
    if (this.#node && peer === this.#transport.localPeer) return this.#node.find(keyIds)
    if ((this.#failures.get(peer)?.until ?? 0) > performance.now())
      throw new Error('This node did not answer recently.')
    try {
      const { results, most } = await findInParts(keyIds, {
        most: this.#mostKeys.get(peer) ?? Infinity,
        ask: (part) => this.#ask(peer, part, signal),
      })
      this.#noteAnswer(peer)
      this.#noteMostKeys(peer, most)
      await this.#clockSet
      return results
    } catch (error) {
      if (!signal?.aborted) this.#noteFailure(peer)
      throw error
    }
  }

  async #ask(
    peer: PeerId,
    keyIds: readonly Uint8Array[],
    signal: AbortOptions['signal'],
  ): Promise<FindResponse> {
    const method = this.#node?.methods.find ?? findMethod
    const response = await this.#rpc.unary(peer, method, keyIds, { signal, timeoutMs: callTimeoutMs })
    this.#node?.noteAnswer(peer, response.nodeId)
    return response
  }

  #noteAnswer(peer: PeerId): void {
    this.#answered.delete(peer)
    this.#answered.add(peer)
    this.#failures.delete(peer)
    forgetOldest(this.#answered)
  }

  #noteMostKeys(peer: PeerId, most: number): void {
    this.#mostKeys.delete(peer)
    if (most !== Infinity) this.#mostKeys.set(peer, most)
    forgetOldest(this.#mostKeys)
  }

  #noteFailure(peer: PeerId): void {
    const count = (this.#failures.get(peer)?.count ?? 0) + 1
    // An initial peer that comes back must be found soon: it may be the only way into the swarm.
    const longestMs = this.#transport.initialPeers.includes(peer) ? blacklistMs : maxBlacklistMs
    const pauseMs = Math.min(blacklistMs * 2 ** (count - 1), longestMs)
    this.#failures.delete(peer)
    this.#failures.set(peer, { count, until: performance.now() + pauseMs })
    this.#answered.delete(peer)
    this.#node?.noteFailure(peer)
    forgetOldest(this.#failures)
  }
}

/** Removes the oldest peer of a set or map that is over its limit. Peers are in the order of their last change. */
function forgetOldest(remembered: Set<PeerId> | Map<PeerId, unknown>): void {
  const [oldest] = remembered.keys()
  if (remembered.size > maxRemembered && oldest !== undefined) remembered.delete(oldest)
}
