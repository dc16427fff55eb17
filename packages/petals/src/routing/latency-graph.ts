import type { BlockRange } from '../blocks/block-range.ts'
import { spansByBlock, type Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { Hop, Route } from './router.ts'
import { SpanIndex } from './span-index.ts'

/** Constants of the reference client (`petals/client/routing/sequence_manager.py`), in seconds unless said otherwise. */
const overheadDelay = 0.018
const defaultDelay = 0.15
const maxDelay = 5
const allocationPenalty = 10

export interface LatencyGraphInput {
  readonly blocks: BlockRange
  /** By slot of the index: round trips from this client, seconds; Infinity for servers that don't answer, NaN if unknown. */
  readonly roundTrips: Float64Array
  /** Length of the session to open, tokens. */
  readonly cacheTokens?: number | undefined
  /** By slot of the index: expected seconds for one token and one block. Default: what servers announce. */
  readonly secondsPerBlock?: Float64Array | undefined
  /** By slot of the index: tokens of a session for which the server has room, NaN if unknown. Default: as announced. */
  readonly freeTokens?: Float64Array | undefined
  /** Slots that are not used. */
  readonly without?: ReadonlySet<number> | undefined
  /**
   * Outputs can go to the next server through this client, where that is nearer or the servers don't know their round trip.
   * Default: as in the reference client, which supposes that servers send them to each other.
   */
  readonly relays?: boolean | undefined
  /** Of some slots: further seconds for entering the span, for example because its server often fails. */
  readonly risks?: ReadonlyMap<number, number> | undefined
  /** By slot: further seconds for entering the span, because its server is liked less. */
  readonly surcharges?: Float64Array | undefined
}

export interface RouteWithCost {
  readonly route: Route
  /** Expected time of one token, with what was added for faults and full caches, seconds. */
  readonly cost: number
  /** What of that is the network and the servers' work: the share of a server in it is how busy the session keeps the server. */
  readonly seconds: number
  /** Ways into spans that were compared: the work of the search. */
  readonly visits: number
}

/**
 * Returns the route of least latency over the blocks, or undefined if some block has no server. A span may be entered at
 * any of its blocks and is left only at its end, as in the reference client. Since every hop leads to later blocks, one
 * pass over the blocks in order finds the same route as Dijkstra's algorithm.
 */
export function findFastestRoute({
  spans,
  clientRtts,
  ...input
}: Omit<LatencyGraphInput, 'roundTrips'> & {
  readonly spans: readonly Span[]
  readonly clientRtts: ReadonlyMap<PeerId, number>
}): RouteWithCost | undefined {
  const roundTrips = Float64Array.from(spans, ({ peer }) => clientRtts.get(peer) ?? NaN)
  return fastestRoute(new SpanIndex(spans, input.blocks.end), { ...input, roundTrips })
}

/** As `findFastestRoute`, for spans that were prepared before. */
export function fastestRoute(index: SpanIndex, input: LatencyGraphInput): RouteWithCost | undefined {
  return new Search(index, input).run()
}

/**
 * One search. Between two servers that have not measured their round trip, the time is the same from each server, or is that
 * of two ways to this client: then the best one before is the same for all, and the work grows with the number of spans and
 * not with that of pairs.
 */
class Search {
  readonly #index: SpanIndex
  readonly #blocks: BlockRange
  readonly #relays: boolean
  /** By slot: seconds per block, one way to this client, and entering the span (Infinity for slots that are not used). */
  readonly #secondsPerBlock: Float64Array
  readonly #toClient: Float64Array
  readonly #entry: Float64Array
  /** By slot: the least time until the end of the span, the block at which that way enters it, and the slot before. */
  readonly #costs: Float64Array
  readonly #enteredAt: Int32Array
  readonly #before: Int32Array
  #visits = 0

  constructor(index: SpanIndex, input: LatencyGraphInput) {
    const { scratch } = index
    this.#index = index
    this.#blocks = input.blocks
    this.#relays = input.relays ?? false
    this.#secondsPerBlock = input.secondsPerBlock ?? index.claimedSecondsPerBlock
    this.#toClient = scratch.toClient
    this.#entry = scratch.entry
    this.#costs = scratch.costs.fill(Infinity)
    this.#enteredAt = scratch.enteredAt
    this.#before = scratch.before
    this.#prepare(input)
  }

  #prepare(input: LatencyGraphInput): void {
    const { roundTrips, cacheTokens, risks, surcharges, without } = input
    const { freeTokens = this.#index.freeTokens } = input
    for (let slot = 0; slot < roundTrips.length; slot++) {
      const rtt = roundTrips[slot]!
      this.#toClient[slot] = Number.isNaN(rtt) ? defaultDelay : oneWayDelay(rtt)
      // Not so for servers that do not announce it: NaN is not less than any number.
      const isTooFull = cacheTokens !== undefined && freeTokens[slot]! < cacheTokens
      this.#entry[slot] = overheadDelay + (isTooFull ? allocationPenalty : 0) + (surcharges?.[slot] ?? 0)
    }
    for (const [slot, seconds] of risks ?? []) this.#entry[slot]! += seconds
    for (const slot of without ?? []) this.#entry[slot] = Infinity
  }

  run(): RouteWithCost | undefined {
    const { start, end } = this.#blocks
    const { offsets, values } = this.#index.holders
    for (let at = offsets[start]!; at < offsets[start + 1]!; at++)
      this.#enter(values[at]!, start, this.#toClient[values[at]!]!, -1)
    for (let block = start + 1; block < end; block++) this.#pass(block)
    return this.#finish()
  }

  #finish(): RouteWithCost | undefined {
    let [last, cost] = [-1, Infinity]
    for (let slot = 0; slot < this.#costs.length; slot++) {
      if (this.#index.ends[slot]! < this.#blocks.end) continue
      const whole = this.#costs[slot]! + this.#toClient[slot]!
      if (whole < cost) [last, cost] = [slot, whole]
    }
    if (last < 0) return undefined
    return { route: this.#routeTo(last), cost, seconds: cost - this.#entries(last), visits: this.#visits }
  }

  /** Returns what was added for entering the spans of the way. */
  #entries(last: number): number {
    let sum = 0
    for (let slot = last; slot >= 0; slot = this.#before[slot]!) sum += this.#entry[slot]!
    return sum
  }

  /** Goes on to the spans that hold the block, from those that end before it. */
  #pass(block: number): void {
    const arriving = this.#arriving(block)
    if (arriving.length === 0) return
    if (this.#relays) this.#passThroughClient(block, arriving)
    else this.#passUnmeasured(block, arriving)
    for (const slot of arriving) this.#passMeasured(slot, block)
  }

  /** Returns the slots of the spans that end before the block and can be reached. */
  #arriving(block: number): number[] {
    const { offsets, values } = this.#index.endingAt
    const arriving: number[] = []
    for (let at = offsets[block]!; at < offsets[block + 1]!; at++)
      if (this.#costs[values[at]!]! < Infinity) arriving.push(values[at]!)
    return arriving
  }

  #passThroughClient(block: number, arriving: readonly number[]): void {
    const { offsets, values } = this.#index.holders
    let [before, cost] = [-1, Infinity]
    for (const slot of arriving) {
      const atClient = this.#costs[slot]! + this.#toClient[slot]!
      if (atClient < cost) [before, cost] = [slot, atClient]
    }
    const last = offsets[block + 1]!
    for (let at = offsets[block]!; at < last; at++)
      this.#enter(values[at]!, block, cost + this.#toClient[values[at]!]!, before)
  }

  #passUnmeasured(block: number, arriving: number[]): void {
    const { spans, holders } = this.#index
    arriving.sort((a, b) => this.#costs[a]! - this.#costs[b]!)
    for (let at = holders.offsets[block]!; at < holders.offsets[block + 1]!; at++) {
      const slot = holders.values[at]!
      const { peer } = spans[slot]!
      const before = arriving.find((each) => !spans[each]!.server.nextPings?.has(peer))
      if (before !== undefined) this.#enter(slot, block, this.#costs[before]! + defaultDelay, before)
    }
  }

  #passMeasured(before: number, block: number): void {
    const { pinged, pings, starts, ends } = this.#index
    for (let at = pinged.offsets[before]!; at < pinged.offsets[before + 1]!; at++) {
      const slot = pinged.values[at]!
      if (starts[slot]! <= block && block < ends[slot]!)
        this.#enter(slot, block, this.#costs[before]! + oneWayDelay(pings[at]!), before)
    }
  }

  /** Enters a span at the block, `cost` seconds after the beginning, if that is the best way to its end so far. */
  #enter(slot: number, block: number, cost: number, before: number): void {
    this.#visits++
    const steps = Math.min(this.#index.ends[slot]!, this.#blocks.end) - block
    const atEnd = cost + this.#entry[slot]! + steps * this.#secondsPerBlock[slot]!
    if (atEnd >= this.#costs[slot]!) return
    this.#costs[slot] = atEnd
    this.#enteredAt[slot] = block
    this.#before[slot] = before
  }

  #routeTo(last: number): Route {
    const { spans, ends } = this.#index
    const route: Hop[] = []
    for (let slot = last; slot >= 0; slot = this.#before[slot]!) {
      const end = Math.min(ends[slot]!, this.#blocks.end)
      route.unshift({ ...spans[slot]!, start: this.#enteredAt[slot]!, end })
    }
    return route
  }
}

const oneWayDelay = (rtt: number): number => Math.min(rtt / 2, maxDelay)

/**
 * Returns the route of the fewest hops, whatever their speed: at each block it takes the span that reaches furthest. When
 * routes keep failing, the one with the fewest hops is the most likely to hold. Undefined if some block has no server.
 */
export function findShortestRoute(spans: readonly Span[], { start, end }: BlockRange): Route | undefined {
  const byBlock = spansByBlock(spans, end)
  const route: Hop[] = []
  for (let block = start; block < end; block = route.at(-1)!.end) {
    const longest = byBlock[block]!.reduce<Span | undefined>(
      (best, span) => (!best || span.end > best.end ? span : best),
      undefined,
    )
    if (!longest) return undefined
    route.push({ ...longest, start: block, end: Math.min(longest.end, end) })
  }
  return route
}
