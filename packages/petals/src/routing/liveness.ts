import { abortable, type AbortOptions } from '@petals-chat/engine'
import { blocksOf, type BlockRange } from '../blocks/block-range.ts'
import { missingBlocks, type Span } from '../blocks/spans.ts'
import type { DhtClient } from '../dht/dht-client.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { RoundTrips } from './round-trips.ts'

/** `search` looks for reachable servers among announced ones: servers pinged at once, and the time for the whole search. */
const searchBatch = 32
const searchMs = 5000
/** A server that was pinged within this time is not pinged again. */
const minPingAgeMs = 5000
/** `check` renews a round trip that is older than this, even if the server is known to be alive. */
const roundTripFreshForMs = 60_000
/** Servers that `check` pings, at most: a record that names more has been flooded. */
const maxChecked = 128
/** A sign that is older than this says nothing about the present. */
const lifetimeMs = 300_000
/** Signs of life that follow each other faster than this are not recorded one by one. */
const newsAfterMs = 1000
/** Peers that are remembered, at most. */
const maxSigns = 4096

export interface SearchOptions extends AbortOptions {
  /** Aborts when the router is closed. */
  readonly closing: AbortSignal
}

/** What makes a router behave the same in every run of a simulation. */
export interface Chance {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  /** Numbers from 0 (inclusive) to 1 (exclusive), uniformly distributed. */
  readonly random: () => number
}

interface Sign {
  readonly alive: boolean
  /** `performance.now()` milliseconds. */
  readonly at: number
}

/**
 * Which servers are known to be alive because they answered this client. An announcement in the DHT proves nothing: any
 * peer can write any record.
 */
export class Liveness {
  readonly #dht: DhtClient
  readonly #roundTrips: RoundTrips
  readonly #now: () => number
  readonly #random: () => number
  readonly #signs = new Map<PeerId, Sign>()
  /** By block: when one of its servers last answered, `performance.now()` milliseconds. */
  readonly #aliveAt: number[] = []

  constructor(dht: DhtClient, roundTrips: RoundTrips, { now, random }: Chance) {
    this.#dht = dht
    this.#roundTrips = roundTrips
    this.#now = now
    this.#random = random
  }

  /** Rates how certain it is that the peer is alive: from -1 (it does not answer) to 3 (it answers). */
  evidence(peer: PeerId): number {
    const rtt = this.#roundTrips.currentSeconds(peer)
    if (rtt !== undefined && Number.isFinite(rtt)) return 3
    const hasAnswered = this.#dht.hasAnswered(peer)
    // A peer that answered late once, for instance because this machine is busy, is not dead.
    if (rtt !== undefined) return hasAnswered ? 1 : -1
    return hasAnswered ? 2 : 0
  }

  /** Records that the server of these blocks answered. */
  markAlive(peer: PeerId, blocks: BlockRange | undefined): void {
    const at = this.#now()
    this.#note(peer, { alive: true, at })
    if (blocks) for (const block of blocksOf(blocks)) this.#aliveAt[block] = at
  }

  /** Reports whether a sign of life of this peer is worth recording. */
  isNews(peer: PeerId): boolean {
    const sign = this.#signs.get(peer)
    return !sign?.alive || this.#now() - sign.at > newsAfterMs
  }

  /** Records that the peer can't be reached. */
  markUnreachable(peer: PeerId): void {
    this.#note(peer, { alive: false, at: this.#now() })
  }

  /** Reports whether the peer answered the last request; undefined if there is no recent sign. */
  isAlive(peer: PeerId): boolean | undefined {
    const sign = this.#signs.get(peer)
    return sign && this.#now() - sign.at < lifetimeMs ? sign.alive : undefined
  }

  /** `Router.aliveAt` */
  aliveAt(blocks: readonly number[]): number | undefined {
    const times = blocks.map((block) => this.#aliveAt[block])
    const isKnown = times.length > 0 && times.every((time) => time !== undefined)
    return isKnown ? Math.min(...times) : undefined
  }

  /** Pings the servers, and takes note of who answers. */
  async measure(spans: readonly Span[], { signal }: AbortOptions): Promise<void> {
    await Promise.all(
      spans.map(async (span) => {
        await this.#roundTrips.measure([span.peer], { signal })
        if (signal?.aborted) return
        if (Number.isFinite(this.#roundTrips.currentSeconds(span.peer) ?? Infinity))
          this.markAlive(span.peer, span)
        else this.markUnreachable(span.peer)
      }),
    )
  }

  /** Pings the servers whose sign or round trip is old, up to `maxChecked` of them. */
  async check(spans: readonly Span[], options: AbortOptions): Promise<void> {
    const now = this.#now()
    const doubtful = spans.filter(
      ({ peer }) =>
        now - (this.#signs.get(peer)?.at ?? -Infinity) > minPingAgeMs ||
        this.#roundTrips.ageMs(peer) > roundTripFreshForMs,
    )
    const chosen = new Set(this.byUrgency(doubtful).slice(0, maxChecked))
    await this.measure(
      doubtful.filter(({ peer }) => chosen.has(peer)),
      options,
    )
  }

  /** Reports whether the peer has answered and has not failed to answer since. */
  isProven(peer: PeerId): boolean {
    return this.evidence(peer) >= 2
  }

  /** Pings servers until those that answer hold all blocks, every server was pinged, or the time for the search is over. */
  async search(
    spans: readonly Span[],
    blocks: BlockRange,
    { signal, closing }: SearchOptions,
  ): Promise<void> {
    const startedAt = this.#now()
    while (!closing.aborted && this.#now() - startedAt < searchMs) {
      const living = spans.filter(({ peer }) => this.isProven(peer))
      const missing = new Set(missingBlocks(living, blocks))
      const unknown = spans.filter(
        (span) =>
          !this.isProven(span.peer) &&
          this.#roundTrips.ageMs(span.peer) > minPingAgeMs &&
          blocksOf(span).some((block) => missing.has(block)),
      )
      if (unknown.length === 0) return
      const asked = new Set(this.byUrgency(unknown).slice(0, searchBatch))
      const measuring = this.measure(
        unknown.filter(({ peer }) => asked.has(peer)),
        { signal: closing },
      )
      await abortable(measuring, signal)
    }
  }

  #note(peer: PeerId, sign: Sign): void {
    this.#signs.delete(peer)
    this.#signs.set(peer, sign)
    const [oldest] = this.#signs.keys()
    if (this.#signs.size > maxSigns && oldest !== undefined) this.#signs.delete(oldest)
  }

  /** Returns the servers in the order in which to ping them; ties are broken by chance, so that each gets its turn. */
  byUrgency(spans: readonly Span[]): readonly PeerId[] {
    const urgency = new Map(
      spans.map(({ peer }) => [
        peer,
        {
          evidence: this.#dht.hasAnswered(peer) ? 1 : 0,
          age: this.#roundTrips.ageMs(peer),
          chance: this.#random(),
        },
      ]),
    )
    return [...urgency.keys()].toSorted((a, b) => compareUrgency(urgency.get(a)!, urgency.get(b)!))
  }
}

interface Urgency {
  readonly evidence: number
  readonly age: number
  readonly chance: number
}

/** Unknown round trips come first, and among them nodes that have answered the DHT; then the oldest round trips. */
function compareUrgency(a: Urgency, b: Urgency): number {
  if (a.age !== b.age && (a.age === Infinity || b.age === Infinity)) return b.age - a.age
  if (a.evidence !== b.evidence) return b.evidence - a.evidence
  return a.age === b.age ? a.chance - b.chance : b.age - a.age
}
