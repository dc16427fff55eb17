import { rangeLength, type BlockRange, type PeerId } from '@petals-chat/petals/protocol'

/** The blocks of a server, and the tokens per second that it announces. */
export interface RatedSpan extends BlockRange {
  readonly peer: PeerId
  readonly throughput: number
}

/** A difference that only rounding makes; it also favours the place that a server has. */
const epsilon = 1e-3

/** Beyond this, servers that would move each other in turn count as settled. */
const maxRounds = 100

/** Returns the blocks that a new server should hold: the consecutive ones that the swarm computes most slowly. */
export function chooseBestBlocks(
  count: number,
  spans: readonly RatedSpan[],
  totalBlocks: number,
): BlockRange {
  const start = bestStart(throughputs(spans, totalBlocks), Math.min(count, totalBlocks))
  return { start, end: start + Math.min(count, totalBlocks) }
}

/**
 * Reports whether the slowest block of the swarm would become faster by more than 1 / `balanceQuality` if this server moved, and
 * all others then went where they should be, too (`should_choose_other_blocks` of `petals/server/block_selection.py`).
 * @param random returns numbers 0 … 1
 */
export function shouldChooseOtherBlocks(
  own: PeerId,
  announced: readonly RatedSpan[],
  { totalBlocks, balanceQuality, random = Math.random }: BalanceOptions,
): boolean {
  const spans = announced.map((span) => ({ ...span }))
  const local = spans.find(({ peer }) => peer === own)
  if (!local) return false
  const rates = throughputs(spans, totalBlocks)
  const before = least(rates)
  // A little more than the server gives: rounding must not make a difference, and its present place wins a tie.
  add(rates, local, -local.throughput * (1 + epsilon))
  if (before > epsilon && least(rates) <= 0) return false // the swarm would have a gap
  const start = bestStart(rates, rangeLength(local))
  if (start === local.start) return false
  add(rates, local, local.throughput * epsilon)
  moveTo(local, start)
  add(rates, local, local.throughput)
  settle(spans, rates, random)
  const after = least(rates)
  return after >= before && after >= epsilon && before / after < balanceQuality - epsilon
}

export interface BalanceOptions {
  readonly totalBlocks: number
  /** `balance_quality` of Petals: 0.75. */
  readonly balanceQuality: number
  readonly random?: () => number
}

interface MovableSpan {
  start: number
  end: number
  readonly throughput: number
}

/** Moves servers, one after the other in random order, until none of them has a better place. */
function settle(spans: readonly MovableSpan[], rates: Float64Array, random: () => number): void {
  for (let round = 0; round < maxRounds; round++) {
    let moved = false
    for (const span of shuffled(spans, random)) {
      add(rates, span, -span.throughput * (1 + epsilon))
      const start = bestStart(rates, rangeLength(span))
      add(rates, span, span.throughput * epsilon)
      if (start !== span.start) moved = true
      moveTo(span, start)
      add(rates, span, span.throughput)
    }
    if (!moved) return
  }
}

/** Sums in the order of the peers' ids, so that all servers get the same sums to the last bit. */
function throughputs(spans: readonly RatedSpan[], totalBlocks: number): Float64Array {
  const rates = new Float64Array(totalBlocks)
  for (const span of spans.toSorted((a, b) => (a.peer < b.peer ? -1 : 1))) add(rates, span, span.throughput)
  return rates
}

function add(rates: Float64Array, { start, end }: BlockRange, value: number): void {
  for (let block = Math.max(0, start); block < Math.min(end, rates.length); block++) rates[block]! += value
}

function moveTo(span: MovableSpan, start: number): void {
  span.end = start + rangeLength(span)
  span.start = start
}

const least = (rates: Float64Array): number => rates.reduce((a, b) => Math.min(a, b), Infinity)

/** Returns the start of the window whose rates, sorted, come first: the slowest blocks count, then the next slowest. */
function bestStart(rates: Float64Array, count: number): number {
  let best = 0
  let bestWindow: Float64Array | undefined
  for (let start = 0; start + count <= rates.length; start++) {
    const window = rates.slice(start, start + count).sort()
    if (bestWindow && !comesBefore(window, bestWindow)) continue
    best = start
    bestWindow = window
  }
  return best
}

function comesBefore(a: Float64Array, b: Float64Array): boolean {
  const i = a.findIndex((value, at) => value !== b[at])
  return i >= 0 && a[i]! < b[i]!
}

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}
