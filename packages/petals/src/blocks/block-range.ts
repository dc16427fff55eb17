/** Consecutive transformer blocks of a model; `end` is exclusive. */
export interface BlockRange {
  readonly start: number
  readonly end: number
}

export const rangeLength = ({ start, end }: BlockRange): number => end - start

export const blocksOf = ({ start, end }: BlockRange): number[] =>
  Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i)

/** Groups an ascending list of blocks into consecutive ranges. */
export function runsOf(blocks: readonly number[]): readonly BlockRange[] {
  const runs: BlockRange[] = []
  for (const block of blocks) {
    const last = runs.at(-1)
    if (last?.end === block) runs[runs.length - 1] = { start: last.start, end: block + 1 }
    else runs.push({ start: block, end: block + 1 })
  }
  return runs
}

/** Formats an ascending list of blocks for people: `0-4, 7, 9-11`. */
export const formatBlocks = (blocks: readonly number[]): string =>
  runsOf(blocks)
    .map((run) => (rangeLength(run) === 1 ? `${run.start}` : `${run.start}-${run.end - 1}`))
    .join(', ')
