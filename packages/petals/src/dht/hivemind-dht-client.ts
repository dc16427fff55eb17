import type { AbortOptions } from '@petals-chat/engine'
import { SwarmUnreachableError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { SwarmTransport } from '../p2p/swarm-transport.ts'
import type { RpcClient } from '../rpc/rpc-client.ts'
import type { FindResponse } from '../wire/dht.ts'
import type { DhtClient, DhtRecord, GetManyOptions, PingOptions } from './dht-client.ts'
import { findMethod, pingMethod } from './dht-methods.ts'
import { Lookup } from './lookup.ts'
import { SwarmClock } from './swarm-clock.ts'

/** `wait_timeout` of one call (`hivemind/dht/node.py`). */
const callTimeoutMs = 3000

/** Nodes that don't answer are left alone for 5 s, then 10 s, … (`hivemind/dht/node.py`, blacklist_time and backoff). */
const blacklistMs = 5000
const maxBlacklistMs = 300_000

/** Nodes beside the initial peers that a lookup may start at: enough to outlive those, few enough to ask for every key. */
const maxSeeds = 8

/** Peers that are remembered as good or bad. */
const maxRemembered = 4096

interface Failures {
  readonly count: number
  readonly until: number
}

export interface DhtClientOptions {
  readonly transport: Pick<SwarmTransport, 'initialPeers' | 'localPeer'>
  readonly rpc: RpcClient
  readonly clock?: SwarmClock
}

/** Client of the swarm's DHT; starts at the peers that the transport was connected to. */
export function createDhtClient(options: DhtClientOptions): DhtClient {
  return new HivemindDhtClient(options)
}

class HivemindDhtClient implements DhtClient {
  readonly #transport: DhtClientOptions['transport']
  readonly #rpc: RpcClient
  readonly #clock: SwarmClock
  readonly #answered = new Set<PeerId>()
  readonly #failures = new Map<PeerId, Failures>()
  /** Settled once the swarm's time is known, or can't be. */
  #clockSet: Promise<void> | undefined

  constructor({ transport, rpc, clock = new SwarmClock() }: DhtClientOptions) {
    this.#transport = transport
    this.#rpc = rpc
    this.#clock = clock
  }

  async getMany(
    keys: readonly string[],
    options: GetManyOptions = {},
  ): Promise<ReadonlyMap<string, DhtRecord>> {
    const { signal, onPartial } = options
    const seeds = this.#seeds()
    this.#clockSet ??= this.#setClock(this.#transport.initialPeers, signal)
    const network = {
      find: (peer: PeerId, keyIds: readonly Uint8Array[]) => this.#find(peer, keyIds, signal),
      localPeer: this.#transport.localPeer,
      now: () => this.now(),
    }
    const lookup: Lookup = new Lookup(keys, seeds, network, () => onPartial?.(() => lookup.records()))
    await lookup.run(signal)
    if (lookup.answered.length > 0) return lookup.records()
    throw new SwarmUnreachableError(
      seeds.length === 1
        ? 'the only peer that is known of it does not answer'
        : `none of ${seeds.length} known peers answers`,
    )
  }

  async ping(peer: PeerId, { signal, timeoutMs = callTimeoutMs }: PingOptions = {}): Promise<number> {
    let startedAt = 0
    let sentAt = 0
    const onOpen = (): void => {
      startedAt = performance.now()
      sentAt = this.#clock.wallTime()
    }
    const { dhtTime } = await this.#rpc.unary(peer, pingMethod, undefined, { signal, timeoutMs, onOpen })
    const rttMs = performance.now() - startedAt
    this.#clock.addSample(peer, dhtTime, sentAt, this.#clock.wallTime())
    this.#noteAnswer(peer)
    return rttMs
  }

  hasAnswered(peer: PeerId): boolean {
    return this.#answered.has(peer)
  }

  now(): number {
    return this.#clock.now()
  }

  /** The latest nodes that answered, and the initial peers. */
  #seeds(): readonly PeerId[] {
    return [...new Set([...this.#transport.initialPeers, ...[...this.#answered].slice(-maxSeeds)])]
  }

  async #setClock(peers: readonly PeerId[], signal: AbortSignal | undefined): Promise<void> {
    await Promise.any(peers.map((peer) => this.ping(peer, { signal }))).catch(() => {
      this.#clockSet = undefined // ask again next time; until then this machine's clock has to do
    })
  }

  /** Answers are looked at when the swarm's time is known: what has expired depends on it. */
  async #find(
    peer: PeerId,
    keyIds: readonly Uint8Array[],
    signal: AbortOptions['signal'],
  ): Promise<FindResponse> {
    if ((this.#failures.get(peer)?.until ?? 0) > performance.now())
      throw new Error('This node did not answer lately.')
    try {
      const response = await this.#rpc.unary(peer, findMethod, keyIds, { signal, timeoutMs: callTimeoutMs })
      this.#noteAnswer(peer)
      await this.#clockSet
      return response
    } catch (error) {
      if (!signal?.aborted) this.#noteFailure(peer)
      throw error
    }
  }

  #noteAnswer(peer: PeerId): void {
    this.#answered.delete(peer)
    this.#answered.add(peer)
    this.#failures.delete(peer)
    forgetOldest(this.#answered)
  }

  #noteFailure(peer: PeerId): void {
    const count = (this.#failures.get(peer)?.count ?? 0) + 1
    // Without the peers that the swarm is joined by, one that comes back would not be found.
    const longestMs = this.#transport.initialPeers.includes(peer) ? blacklistMs : maxBlacklistMs
    const pauseMs = Math.min(blacklistMs * 2 ** (count - 1), longestMs)
    this.#failures.delete(peer)
    this.#failures.set(peer, { count, until: performance.now() + pauseMs })
    this.#answered.delete(peer)
    forgetOldest(this.#failures)
  }
}

/** Keeps a set or map of peers at its bound; they are in order of their last change. */
function forgetOldest(remembered: Set<PeerId> | Map<PeerId, unknown>): void {
  const [oldest] = remembered.keys()
  if (remembered.size > maxRemembered && oldest !== undefined) remembered.delete(oldest)
}
