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

/** What is known of peers beyond that records name them: anybody can put anything into a record. */
export class SignsOfLife {
  readonly #dht: DhtClient
  readonly #roundTrips: RoundTrips

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
    while (performance.now() - startedAt < searchMs) {
      const living = spans.filter(({ peer }) => this.isProven(peer))
      const missing = new Set(missingBlocks(living, blocks))
      const unknown = spans.filter(
        (span) =>
          !this.isProven(span.peer) &&
          this.#roundTrips.ageMs(span.peer) > minPingAgeMs &&
          blocksOf(span).some((block) => missing.has(block)),
      )
      if (unknown.length === 0) return
      const asked = this.likeliest(unknown).slice(0, searchBatch)
      await abortable(this.#roundTrips.measure(asked, { signal: closing }), signal)
    }
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
