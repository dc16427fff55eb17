import type { BlockRange } from '../api/route-report.ts'

/** Groups an ascending list of blocks into ranges of consecutive blocks. */
export function toRanges(blocks: readonly number[]): readonly BlockRange[] {
  const ranges: BlockRange[] = []
  for (const block of blocks) {
    const last = ranges.at(-1)
    if (last?.end === block) ranges[ranges.length - 1] = { start: last.start, end: block + 1 }
    else ranges.push({ start: block, end: block + 1 })
  }
  return ranges
}

/** Packs spans into as few rows as possible without overlap, ordered by their first blocks. */
export function packRows<Span extends BlockRange>(spans: readonly Span[]): readonly (readonly Span[])[] {
  const rows: Span[][] = []
  for (const span of spans.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const row = rows.find((candidate) => (candidate.at(-1)?.end ?? 0) <= span.start)
    if (row) row.push(span)
    else rows.push([span])
  }
  return rows
}
