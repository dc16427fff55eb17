import { minusInfinity, toHalf } from './half.ts'

/** What a sequence of a step sees of its cache. */
export interface MaskRow {
  /** Position of its first token. */
  readonly position: number
  readonly count: number
  /** Cells of the cache that the step reads; those after the sequence's tokens are masked. */
  readonly kvLength: number
}

/** Half-precision −distance by distance, for ALiBi: the kernel multiplies it by the slope of each head. */
const distances: number[] = []

function minusDistance(distance: number): number {
  while (distances.length <= distance) distances.push(toHalf(-distances.length))
  return distances[distance]!
}

export interface MaskOptions {
  readonly slidingWindow: number | undefined
  readonly isAlibi: boolean
}

/** Fills the masks of all sequences, `[kvLength, count]` each, one after the other: 0 or −distance where a token sees a cell, else −∞. */
export function fillMask(
  rows: readonly MaskRow[],
  { slidingWindow = Infinity, isAlibi }: MaskOptions,
): Uint16Array {
  const mask = new Uint16Array(rows.reduce((sum, { kvLength, count }) => sum + kvLength * count, 0))
  mask.fill(minusInfinity)
  let line = 0
  for (const { position, count, kvLength } of rows) {
    for (let token = position; token < position + count; token++, line += kvLength) {
      const first = Math.max(0, token + 1 - slidingWindow)
      if (!isAlibi) mask.fill(0, line + first, line + token + 1)
      else for (let cell = first; cell <= token; cell++) mask[line + cell] = minusDistance(token - cell)
    }
  }
  return mask
}
