import { abortable, type AbortOptions } from '@petals-chat/engine'
import { blocksOf, type BlockRange } from '../blocks/block-range.ts'
import { missingBlocks, type Span } from '../blocks/spans.ts'
import type { DhtClient } from '../dht/dht-client.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { RoundTrips } from './round-trips.ts'

/** A search for living servers among those that are only claimed to be: how many are asked at once, and for how long in all. */
const searchBatch = 32
const searchMs = 5000
/** Who was asked within this time is not asked again. */
const minPingAgeMs = 5000

export interface SearchOptions extends AbortOptions {
  /** Aborts when the router is closed. */
  readonly closing: AbortSignal
}

/** Who was asked within this time is not asked again by `check`. */
const freshForMs = 5000
/** And not again for the sake of its round trip within this time. */
const roundTripFreshForMs = 60_000
/** Servers that are asked by `check`, at most: more are only in a record that was flooded. */
const maxChecked = 128
/** An answer, or its absence, says nothing any more after this long. */
const lifetimeMs = 300_000
/** Answers in between make no difference. */
const newsAfterMs = 1000
/** Peers that are remembered. */
const maxSigns = 4096

/** `performance.now()` milliseconds. */
interface Sign {
  readonly alive: boolean
  readonly at: number
}

/** What is known of peers beyond that records name them: anybody can put anything into a record. */
export class SignsOfLife {
  readonly #dht: DhtClient
  readonly #roundTrips: RoundTrips
  readonly #signs = new Map<PeerId, Sign>()
  /** By block: when one of its servers last answered. */
  readonly #aliveAt: number[] = []

  constructor(dht: DhtClient, roundTrips: RoundTrips) {
    this.#dht = dht
    this.#roundTrips = roundTrips
  }

  /** How sure it is that the peer lives: from -1, it does not answer, to 3, it does. */
  evidence(peer: PeerId): number {
    const rtt = this.#roundTrips.currentSeconds(peer)
    if (rtt !== undefined && Number.isFinite(rtt)) return 3
    const hasAnswered = this.#dht.hasAnswered(peer)
    // Late once, on a busy machine for instance, is not dead.
    if (rtt !== undefined) return hasAnswered ? 1 : -1
    return hasAnswered ? 2 : 0
  }

  /** The server of these blocks answered. */
  heard(peer: PeerId, blocks: BlockRange | undefined): void {
    const at = performance.now()
    this.#note(peer, { alive: true, at })
    if (blocks) for (const block of blocksOf(blocks)) this.#aliveAt[block] = at
  }

  /** An answer of this peer would say something that is not known already. */
  isNews(peer: PeerId): boolean {
    const sign = this.#signs.get(peer)
    return !sign?.alive || performance.now() - sign.at > newsAfterMs
  }

  /** It can't be reached. */
  lost(peer: PeerId): void {
    this.#note(peer, { alive: false, at: performance.now() })
  }

  /** Whether the peer answered last; undefined where nothing is known, or only something old. */
  isAlive(peer: PeerId): boolean | undefined {
    const sign = this.#signs.get(peer)
    return sign && performance.now() - sign.at < lifetimeMs ? sign.alive : undefined
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
          this.heard(span.peer, span)
        else this.lost(span.peer)
      }),
    )
  }

  /** Asks all that nothing new is known of. */
  async check(spans: readonly Span[], options: AbortOptions): Promise<void> {
    const now = performance.now()
    const doubtful = spans.filter(
      ({ peer }) =>
        now - (this.#signs.get(peer)?.at ?? -Infinity) > freshForMs ||
        this.#roundTrips.ageMs(peer) > roundTripFreshForMs,
    )
    const chosen = new Set(this.likeliest(doubtful).slice(0, maxChecked))
    await this.measure(
      doubtful.filter(({ peer }) => chosen.has(peer)),
      options,
    )
  }

  /** It has answered, and nothing is known against it. */
  isProven(peer: PeerId): boolean {
    return this.evidence(peer) >= 2
  }

  /** Pings servers, until those that answer hold all blocks, all were asked, or it has taken too long. */
  async search(
    spans: readonly Span[],
    blocks: BlockRange,
    { signal, closing }: SearchOptions,
  ): Promise<void> {
    const startedAt = performance.now()
    while (!closing.aborted && performance.now() - startedAt < searchMs) {
      const living = spans.filter(({ peer }) => this.isProven(peer))
      const missing = new Set(missingBlocks(living, blocks))
      const unknown = spans.filter(
        (span) =>
          !this.isProven(span.peer) &&
          this.#roundTrips.ageMs(span.peer) > minPingAgeMs &&
          blocksOf(span).some((block) => missing.has(block)),
      )
      if (unknown.length === 0) return
      const asked = new Set(this.likeliest(unknown).slice(0, searchBatch))
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

  /** Those first whose round trip is known least; of these, the likeliest to be more than a name. Otherwise by chance. */
  likeliest(spans: readonly Span[]): readonly PeerId[] {
    const urgency = new Map(
      spans.map(({ peer }) => [
        peer,
        {
          evidence: this.#dht.hasAnswered(peer) ? 1 : 0,
          age: this.#roundTrips.ageMs(peer),
          chance: Math.random(),
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

/** Unknown round trips first, of these the peers that are known to live; then the oldest. */
function compareUrgency(a: Urgency, b: Urgency): number {
  if (a.age !== b.age && (a.age === Infinity || b.age === Infinity)) return b.age - a.age
  if (a.evidence !== b.evidence) return b.evidence - a.evidence
  return a.age === b.age ? a.chance - b.chance : b.age - a.age
}
