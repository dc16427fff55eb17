import { missingBlocks, type Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'

export interface ServerFilter {
  /** If given, only these servers are used. */
  readonly allowed?: ReadonlySet<PeerId> | undefined
  readonly blocked?: ReadonlySet<PeerId> | undefined
  /** LoRA adapter that servers must have loaded. */
  readonly adapter?: string | undefined
}

export function filterSpans<S extends Span>(
  spans: readonly S[],
  { allowed, blocked, adapter }: ServerFilter,
): readonly S[] {
  return spans.filter(
    ({ peer, server }) =>
      (!allowed || allowed.has(peer)) &&
      !blocked?.has(peer) &&
      (!adapter || server.adapters.includes(adapter)),
  )
}

/**
 * Removes the unwanted servers, except from blocks that no other server holds: there a server that failed once is better
 * than none.
 */
export function withoutUnwanted(
  spans: readonly Span[],
  numBlocks: number,
  isUnwanted: (peer: PeerId) => boolean,
): readonly Span[] {
  const wanted = spans.filter(({ peer }) => !isUnwanted(peer))
  if (wanted.length === spans.length) return spans
  const orphans = new Set(missingBlocks(wanted, { start: 0, end: numBlocks }))
  const unwanted = spans.filter(({ peer }) => isUnwanted(peer))
  return [...wanted, ...unwanted.flatMap((span) => runsWithin(span, orphans))]
}

/** Keeps, for each block, only the servers with the lowest demerit. `demerit` is 0 for servers without a recorded fault. */
export function withLeastDemerit(
  spans: readonly Span[],
  numBlocks: number,
  demerit: (peer: PeerId) => number,
): readonly Span[] {
  const levels = [...new Set(spans.map(({ peer }) => demerit(peer)))].filter((level) => level > 0)
  return levels
    .toSorted((a, b) => b - a)
    .reduce((left, level) => withoutUnwanted(left, numBlocks, (peer) => demerit(peer) >= level), spans)
}

/** Returns the parts of a span that lie in `blocks`. */
function runsWithin(span: Span, blocks: ReadonlySet<number>): readonly Span[] {
  const runs: Span[] = []
  for (let block = span.start; block < span.end; block++) {
    const last = runs.at(-1)
    if (!blocks.has(block)) continue
    if (last?.end === block) runs[runs.length - 1] = { ...last, end: block + 1 }
    else runs.push({ ...span, start: block, end: block + 1 })
  }
  return runs
}
