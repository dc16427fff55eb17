import { likenessOf, numbersOf, type Likeness } from '../blocks/numbers.ts'
import type { BlockRange } from '../blocks/block-range.ts'
import type { ServerInfo } from '../blocks/server-info.ts'
import type { RouteWithCost } from './latency-graph.ts'
import type { Route } from './router.ts'
import type { SpanIndex } from './span-index.ts'

/**
 * A new route may take this share longer for each server that then computes with the same numbers as the others: the same
 * question gets the same answer as long as all its servers compute with the same numbers.
 */
const shareForUniformity = 0.25

/** A route on which an answer goes on may take twice as long for a token, if it then goes on as it would have. */
const sharesForLikeness: Readonly<Record<Likeness, number>> = { same: 0, rounding: 0.1, other: 1 }

/** Kinds of numbers that are compared, at most: servers name them. */
const maxKinds = 4

/** Finds the fastest route, with further seconds for entering some slots. */
type Search = (surcharges: Float64Array) => RouteWithCost | undefined

/**
 * Returns a route instead of the fastest that has fewer kinds of servers, or more that are like the one which is replaced,
 * unless it is much slower. `cost` includes what was added for the others.
 *
 * @param like the server that is replaced, where an answer goes on
 */
export function preferSameNumbers(
  index: SpanIndex,
  blocks: BlockRange,
  { fastest, like, search }: { fastest: RouteWithCost; like: ServerInfo | undefined; search: Search },
): RouteWithCost {
  const { seconds, route } = fastest
  if (like) {
    if (route.every(({ server }) => likenessOf(server, like) === 'same')) return fastest
    const share = ({ server }: { readonly server: ServerInfo }) => sharesForLikeness[likenessOf(server, like)]
    return search(Float64Array.from(index.spans, (span) => seconds * share(span))) ?? fastest
  }
  if (new Set(route.map(({ server }) => numbersOf(server))).size === 1) return fastest
  const { numbers } = index
  const found = kindsOf(index, blocks, route).flatMap((kind) => {
    const surcharge = (each: number): number => (each === kind ? 0 : seconds * shareForUniformity)
    return search(Float64Array.from(numbers, surcharge)) ?? []
  })
  return found.reduce((best, each) => (each.cost < best.cost ? each : best), found[0] ?? fastest)
}

/**
 * Returns kinds of numbers to try: first those of the route, whatever other servers announce, then those in which most of the
 * blocks are held.
 */
function kindsOf(index: SpanIndex, blocks: BlockRange, route: Route): readonly number[] {
  const { numbers, starts, ends } = index
  const kinds = new Set<number>()
  for (const { peer } of route) index.forSlotsOf(peer, (slot) => kinds.add(numbers[slot]!))
  const held = new Map<number, number>()
  numbers.forEach((kind, slot) => {
    const count = Math.min(ends[slot]!, blocks.end) - Math.max(starts[slot]!, blocks.start)
    if (count > 0) held.set(kind, (held.get(kind) ?? 0) + count)
  })
  for (const [kind] of [...held].toSorted((a, b) => b[1] - a[1])) kinds.add(kind)
  return [...kinds].slice(0, maxKinds)
}
