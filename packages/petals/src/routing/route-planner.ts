import type { BlockRange } from '../blocks/block-range.ts'
import { roundTripsBySlot } from './distances.ts'
import { ExpectedTimes } from './expected-times.ts'
import { fastestRoute, findShortestRoute } from './latency-graph.ts'
import type { RoundTrips } from './round-trips.ts'
import type { Route, RouteOptions } from './router.ts'
import { ServerLoads } from './server-loads.ts'
import type { SpanIndex } from './span-index.ts'
import { Troubles } from './troubles.ts'

/** Chooses among servers that are all acceptable, by what this client has measured and by what servers announce. */
export class RoutePlanner {
  readonly loads: ServerLoads
  readonly troubles: Troubles
  readonly #times: ExpectedTimes
  readonly #roundTrips: Pick<RoundTrips, 'seconds' | 'version'>
  /** Of the latest search. */
  #distances: { readonly of: SpanIndex; readonly version: number; readonly seconds: Float64Array } | undefined

  /** @param now milliseconds of a clock that never goes back */
  constructor(roundTrips: Pick<RoundTrips, 'seconds' | 'version'>, now: () => number) {
    this.loads = new ServerLoads(now)
    this.troubles = new Troubles(now)
    this.#times = new ExpectedTimes(this.loads)
    this.#roundTrips = roundTrips
  }

  /** Returns undefined if some block has no server. @param without slots that are not used */
  plan(
    index: SpanIndex,
    blocks: BlockRange,
    { cacheTokens, policy }: RouteOptions,
    without: ReadonlySet<number> = new Set(),
  ): Route | undefined {
    if (policy === 'shortest') {
      const spans = index.spans.filter((_, slot) => !without.has(slot))
      return findShortestRoute(spans, blocks)
    }
    const secondsPerBlock = this.#times.secondsPerBlock(index)
    const found = fastestRoute(index, {
      blocks,
      cacheTokens,
      without,
      secondsPerBlock,
      roundTrips: this.#distancesTo(index),
      risks: this.#risks(index),
      relays: true,
    })
    if (found) this.#expect(index, found.route, secondsPerBlock, found.seconds)
    return found?.route
  }

  #distancesTo(index: SpanIndex): Float64Array {
    const { version } = this.#roundTrips
    if (this.#distances?.of !== index || this.#distances.version !== version) {
      const seconds = roundTripsBySlot(index, this.#roundTrips.seconds())
      // Old samples are dropped when they are read, which is a change, too.
      this.#distances = { of: index, version: this.#roundTrips.version, seconds }
    }
    return this.#distances.seconds
  }

  #risks(index: SpanIndex): ReadonlyMap<number, number> {
    const risks = new Map<number, number>()
    this.troubles.forEach((peer, seconds) => index.forSlotsOf(peer, (slot) => risks.set(slot, seconds)))
    return risks
  }

  /** @param tokenSeconds of one token on the whole route */
  #expect(index: SpanIndex, route: Route, secondsPerBlock: Float64Array, tokenSeconds: number): void {
    for (const { peer, start, end } of route) {
      let seconds = 0
      index.forSlotsOf(peer, (slot) => (seconds = (end - start) * secondsPerBlock[slot]!))
      this.loads.expect(peer, Math.min(1, seconds / tokenSeconds))
    }
  }
}
