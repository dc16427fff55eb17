import type { BlockRange } from '../blocks/block-range.ts'
import { byLikenessTo } from '../blocks/numbers.ts'
import { roundTripsBySlot } from './distances.ts'
import { CacheRoom } from './cache-room.ts'
import { ExpectedTimes } from './expected-times.ts'
import { Favourites } from './favourites.ts'
import { fastestRoute, findShortestRoute, type LatencyGraphInput } from './latency-graph.ts'
import type { RoundTrips } from './round-trips.ts'
import type { Route, RouteOptions } from './router.ts'
import { preferSameNumbers } from './same-numbers.ts'
import { ServerLoads } from './server-loads.ts'
import type { SpanIndex } from './span-index.ts'
import { Troubles } from './troubles.ts'

/** Chooses among servers that are all acceptable, by what this client has measured and by what servers announce. */
export class RoutePlanner {
  readonly loads: ServerLoads
  readonly troubles: Troubles
  readonly room: CacheRoom
  readonly #times: ExpectedTimes
  readonly #roundTrips: Pick<RoundTrips, 'seconds' | 'version'>
  /** Of the latest search. */
  #distances: { readonly of: SpanIndex; readonly version: number; readonly seconds: Float64Array } | undefined

  /**
   * @param now milliseconds of a clock that never goes back
   * @param random returns a number from 0 (inclusive) to 1 (exclusive)
   */
  constructor(
    roundTrips: Pick<RoundTrips, 'seconds' | 'version'>,
    now: () => number,
    random: () => number = Math.random,
  ) {
    this.loads = new ServerLoads(now)
    this.troubles = new Troubles(now)
    this.room = new CacheRoom(now)
    this.#times = new ExpectedTimes(this.loads, new Favourites(random))
    this.#roundTrips = roundTrips
  }

  /** Returns undefined if some block has no server. @param without slots that are not used */
  plan(
    index: SpanIndex,
    blocks: BlockRange,
    { cacheTokens, policy, like }: RouteOptions,
    without: ReadonlySet<number> = new Set(),
  ): Route | undefined {
    if (policy === 'shortest') {
      const spans = index.spans.filter((_, slot) => !without.has(slot))
      // Of spans that reach as far, the first is chosen.
      return findShortestRoute(like ? spans.toSorted(byLikenessTo(like)) : spans, blocks)
    }
    const secondsPerBlock = this.#times.secondsPerBlock(index)
    const input: LatencyGraphInput = {
      blocks,
      cacheTokens,
      freeTokens: this.room.freeTokens(index),
      without,
      secondsPerBlock,
      roundTrips: this.#distancesTo(index),
      risks: this.#risks(index),
      relays: true,
    }
    const fastest = fastestRoute(index, input)
    if (!fastest) return undefined
    const search = (surcharges: Float64Array) => fastestRoute(index, { ...input, surcharges })
    const { route, seconds } = preferSameNumbers(index, blocks, { fastest, like, search })
    this.#expect(index, route, secondsPerBlock, seconds)
    if (cacheTokens !== undefined)
      for (const hop of route) this.room.expect(hop, sessionVectors(hop, cacheTokens))
    return route
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

/** Returns the vectors of KV cache that a session of so many tokens takes for these blocks. */
export const sessionVectors = ({ start, end }: BlockRange, tokens: number): number =>
  2 * tokens * (end - start)
