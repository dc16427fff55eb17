import type { AbortOptions } from '@petals-chat/engine'
import type { DhtClient, PingOptions } from '../dht/dht-client.ts'
import { PeerUnreachableError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** Weight of a new sample, and the time for which a sample counts (`petals/utils/ping.py`). */
const newSampleWeight = 0.2
const lifetimeMs = 300_000

/**
 * A round trip so short, seconds, is measured a few times, and the shortest counts: on a busy machine it can be the time until
 * a process gets its turn, which says nothing about the way. Such differences would outweigh the load of near servers.
 */
const shortSeconds = 0.05
const pingsOfShort = 3

interface Sample {
  readonly seconds: number
  /** The shortest round trip: the time of the network alone, without waiting for a busy server. */
  readonly least: number
  /** `performance.now()` milliseconds. */
  readonly measuredAt: number
}

/** Calls the server itself, not its DHT node. Resolves if the server answers in any way, with an error too. */
export type ServerProbe = (peer: PeerId, options: PingOptions) => Promise<unknown>

export interface RoundTripsOptions {
  readonly dht: DhtClient
  readonly probe?: ServerProbe | undefined
  readonly pingTimeoutMs: number
  readonly now?: () => number
}

/** Smoothed round trips to servers, in seconds. */
export class RoundTrips {
  readonly #dht: DhtClient
  readonly #probe: ServerProbe | undefined
  readonly #pingTimeoutMs: number
  readonly #now: () => number
  #version = 0
  readonly #samples = new Map<PeerId, Sample>()

  constructor({ dht, probe, pingTimeoutMs, now = () => performance.now() }: RoundTripsOptions) {
    this.#dht = dht
    this.#probe = probe
    this.#pingTimeoutMs = pingTimeoutMs
    this.#now = now
  }

  /** Another number after each change of what `seconds` returns, except for samples that have become too old since. */
  get version(): number {
    return this.#version
  }

  /** Returns the known round trips; Infinity for servers that did not answer. */
  seconds(): ReadonlyMap<PeerId, number> {
    const oldest = this.#now() - lifetimeMs
    for (const [peer, { measuredAt }] of this.#samples) if (measuredAt < oldest) this.#forget(peer)
    return new Map([...this.#samples].map(([peer, { seconds }]) => [peer, seconds]))
  }

  #forget(peer: PeerId): void {
    this.#samples.delete(peer)
    this.#version++
  }

  /** Returns the smoothed round trip; Infinity if the peer did not answer; undefined if there is no recent sample. */
  currentSeconds(peer: PeerId): number | undefined {
    return this.ageMs(peer) < lifetimeMs ? this.#samples.get(peer)?.seconds : undefined
  }

  /** Returns the shortest round trip; undefined before the first. */
  leastSeconds(peer: PeerId): number | undefined {
    return this.#samples.get(peer)?.least
  }

  /** Returns the age of the peer's sample; Infinity if there is none. */
  ageMs(peer: PeerId): number {
    const sample = this.#samples.get(peer)
    return sample ? this.#now() - sample.measuredAt : Infinity
  }

  /** Pings all peers at once. What the first ping of each finds is known at once; near ones are pinged again. */
  async measure(peers: readonly PeerId[], options?: AbortOptions): Promise<void> {
    await Promise.all(
      peers.map(async (peer) => {
        const before = this.#samples.get(peer)
        let least = Infinity
        for (let count = 0; count < pingsOfShort; count++) {
          least = Math.min(least, await this.#ping(peer, options))
          if (options?.signal?.aborted) return
          this.#note(peer, least, before)
          if (least >= shortSeconds) return
        }
      }),
    )
  }

  add(peer: PeerId, seconds: number): void {
    this.#note(peer, seconds, this.#samples.get(peer))
  }

  #note(peer: PeerId, seconds: number, before: Sample | undefined): void {
    const { seconds: previous = Infinity, least = Infinity } = before ?? {}
    this.#version++
    const smoothed = Number.isFinite(previous)
      ? newSampleWeight * seconds + (1 - newSampleWeight) * previous
      : seconds
    this.#samples.set(peer, { seconds: smoothed, least: Math.min(least, seconds), measuredAt: this.#now() })
  }

  async #ping(peer: PeerId, options: AbortOptions | undefined): Promise<number> {
    const pingOptions = { ...options, timeoutMs: this.#pingTimeoutMs }
    try {
      return (await this.#dht.ping(peer, pingOptions)) / 1000
    } catch (error) {
      return isRefusal(error) ? await this.#timeServer(peer, pingOptions) : Infinity
    }
  }

  /**
   * A server behind a relay refuses calls of the DHT, and so does, for half a minute, the daemon of a server that was killed.
   * Only a call to the server itself tells them apart. The refusal left a connection, so this call takes one round trip.
   */
  async #timeServer(peer: PeerId, options: PingOptions): Promise<number> {
    const startedAt = this.#now()
    try {
      await (this.#probe ?? ((other) => this.#dht.ping(other, options)))(peer, options)
    } catch (error) {
      if (this.#probe || !isRefusal(error)) return Infinity
    }
    return (this.#now() - startedAt) / 1000
  }
}

const isRefusal = (error: unknown): boolean =>
  error instanceof PeerUnreachableError && error.unsupportedProtocol !== undefined
