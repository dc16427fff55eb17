import type { BlockRange } from '../blocks/block-range.ts'
import { spansByBlock, type Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { Hop, Route } from './router.ts'

/** Constants of the reference client (`petals/client/routing/sequence_manager.py`), in seconds unless said otherwise. */
const overheadDelay = 0.018
const defaultDelay = 0.15
const maxDelay = 5
const allocationPenalty = 10
/** Tokens per second through one block, for a server that does not announce it. */
const defaultInferenceRps = 300

export interface LatencyGraphInput {
  readonly spans: readonly Span[]
  readonly blocks: BlockRange
  /** Round trips from this client, seconds; Infinity for servers that don't answer, no entry for unknown ones. */
  readonly clientRtts: ReadonlyMap<PeerId, number>
  /** Length of the session to open, tokens. */
  readonly cacheTokens?: number | undefined
}

export interface RouteWithCost {
  readonly route: Route
  /** Expected time of one token, seconds. */
  readonly cost: number
}

/** The cheapest way found so far to the end of a span, as a linked list of the spans before it. */
interface Path {
  readonly cost: number
  readonly span: Span
  readonly enteredAt: number
  readonly before: Path | undefined
}

/**
 * Returns the route of least latency over the blocks, or undefined if some block has no server. A span may be entered at
 * any of its blocks and is left only at its end, as in the reference client. Since every hop leads to later blocks, one
 * pass over the blocks in order finds the same route as Dijkstra's algorithm.
 */
export function findFastestRoute({
  spans,
  blocks,
  clientRtts,
  cacheTokens,
}: LatencyGraphInput): RouteWithCost | undefined {
  const byBlock = spansByBlock(spans, blocks.end)
  const best = new Map<Span, Path>()
  for (let block = blocks.start; block < blocks.end; block++) {
    const arriving = [...best.values()].filter(({ span }) => span.end === block)
    for (const span of byBlock[block]!) {
      const entry = overheadDelay + allocationDelay(span, cacheTokens)
      const path =
        block === blocks.start
          ? {
              cost: oneWayDelay(clientRtts.get(span.peer)) + entry,
              span,
              enteredAt: block,
              before: undefined,
            }
          : cheapestArrival(arriving, span, block, entry)
      if (path) keepCheaper(best, path, blocks.end)
    }
  }
  const finished = [...best.values()].filter(({ span }) => span.end >= blocks.end)
  const last = minimumBy(finished, (path) => path.cost + oneWayDelay(clientRtts.get(path.span.peer)))
  return (
    last && {
      route: toRoute(last, blocks.end),
      cost: last.cost + oneWayDelay(clientRtts.get(last.span.peer)),
    }
  )
}

function cheapestArrival(
  arriving: readonly Path[],
  span: Span,
  block: number,
  entry: number,
): Path | undefined {
  const hop = (path: Path): number => oneWayDelay(path.span.server.nextPings?.get(span.peer))
  const before = minimumBy(arriving, (path) => path.cost + hop(path))
  return before && { cost: before.cost + hop(before) + entry, span, enteredAt: block, before }
}

/** Records the path through a span to its end, if it is cheaper than the one recorded before. */
function keepCheaper(best: Map<Span, Path>, path: Path, end: number): void {
  const { span, enteredAt } = path
  const computing = (Math.min(span.end, end) - enteredAt) / (span.server.inferenceRps ?? defaultInferenceRps)
  const cost = path.cost + computing
  const known = best.get(span)
  if (!known || cost < known.cost) best.set(span, { ...path, cost })
}

function toRoute(last: Path, end: number): Route {
  const route: Hop[] = []
  for (let path: Path | undefined = last; path; path = path.before) {
    route.unshift({ ...path.span, start: path.enteredAt, end: Math.min(path.span.end, end) })
  }
  return route
}

const oneWayDelay = (rtt: number | undefined): number =>
  rtt === undefined ? defaultDelay : Math.min(rtt / 2, maxDelay)

/** Servers count keys and values separately, and the session may need all their blocks. */
function allocationDelay({ start, end, server }: Span, cacheTokens: number | undefined): number {
  if (cacheTokens === undefined || server.cacheTokensLeft === undefined) return 0
  const heldBlocks = server.blocks ? server.blocks.end - server.blocks.start : end - start
  return cacheTokens * 2 * heldBlocks > server.cacheTokensLeft ? allocationPenalty : 0
}

function minimumBy<T>(items: readonly T[], value: (item: T) => number): T | undefined {
  let best: T | undefined
  for (const item of items) if (best === undefined || value(item) < value(best)) best = item
  return best
}

/**
 * Returns the route of the fewest hops, whatever their speed: at each block it takes the span that reaches furthest. When
 * routes keep failing, the one with the fewest hops is the most likely to hold. Undefined if some block has no server.
 */
export function findShortestRoute(spans: readonly Span[], { start, end }: BlockRange): Route | undefined {
  const byBlock = spansByBlock(spans, end)
  const route: Hop[] = []
  for (let block = start; block < end; block = route.at(-1)!.end) {
    const longest = minimumBy(byBlock[block]!, (span) => -span.end)
    if (!longest) return undefined
    route.push({ ...longest, start: block, end: Math.min(longest.end, end) })
  }
  return route
}
