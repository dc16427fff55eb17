import { GenerationFailedError, type TokenId } from '@petals-chat/engine'
import { stretchTokens, type Logits } from '../tensor/logits.ts'

export interface RankedToken {
  readonly token: TokenId
  /** The exact logit. */
  readonly logit: number
}

/** Orders by logit, highest first; equal logits by token id, as argmax does. */
export const byRank = (a: RankedToken, b: RankedToken): number => b.logit - a.logit || a.token - b.token

/** Returns the tokens whose upper bound is in [low, high). */
export function tokensBetween(logits: Logits, low: number, high: number): TokenId[] {
  const { ceilings, size } = logits
  const tokens: TokenId[] = []
  for (let stretch = 0; stretch < ceilings.length; stretch++) {
    if (!(ceilings[stretch]! >= low)) continue
    const end = endOf(stretch, size)
    for (let token = stretch * stretchTokens; token < end; token++) {
      const upper = logits.estimate(token) + logits.margin(token)
      if (upper >= low && upper < high) tokens.push(token)
    }
  }
  return tokens
}

/** Returns the end of a stretch's tokens. */
export const endOf = (stretch: number, size: number): number => Math.min((stretch + 1) * stretchTokens, size)

export const exactRanking = (logits: Logits, tokens: readonly TokenId[]): RankedToken[] =>
  tokens.map((token) => ({ token, logit: logits.exact(token) })).sort(byRank)

/** Returns the highest lower bound: the best logit is at least this. */
function highestLower(logits: Logits): number {
  const { ceilings } = logits
  let first = 0
  for (let stretch = 1; stretch < ceilings.length; stretch++)
    if (ceilings[stretch]! > ceilings[first]!) first = stretch
  // After the most promising stretch, few others can have more.
  let highest = lowerIn(logits, first)
  for (let stretch = 0; stretch < ceilings.length; stretch++)
    if (ceilings[stretch]! > highest) highest = Math.max(highest, lowerIn(logits, stretch))
  return highest
}

/** Returns the highest lower bound of a stretch. */
function lowerIn(logits: Logits, stretch: number): number {
  const end = endOf(stretch, logits.size)
  let highest = -Infinity
  for (let token = stretch * stretchTokens; token < end; token++) {
    const lower = logits.estimate(token) - logits.margin(token)
    if (lower > highest) highest = lower
  }
  return highest
}

/** Returns the token with the highest logit. @throws GenerationFailedError if the logits are not finite */
export function bestToken(logits: Logits): RankedToken {
  const [best] = exactRanking(logits, tokensBetween(logits, highestLower(logits), Infinity))
  if (best && Number.isFinite(best.logit)) return best
  throw new GenerationFailedError(
    'The logits are NaN or infinite, so there is no next token. A server may have sent wrong hidden states: try again, another ' +
      "route may be chosen. If it happens every time, the model's files here may be damaged: `petals-chat models rm` removes them.",
  )
}

/** Returns the k-th highest lower bound (k ≥ 1), or the lowest if there are fewer. A heap of k values avoids sorting them all. */
function kthHighestLower(logits: Logits, k: number): number {
  const { ceilings, size } = logits
  const heap = new Float64Array(Math.min(k, size)).fill(-Infinity)
  for (let stretch = 0; stretch < ceilings.length; stretch++) {
    if (!(ceilings[stretch]! > heap[0]!)) continue
    const end = endOf(stretch, size)
    for (let token = stretch * stretchTokens; token < end; token++) {
      const lower = logits.estimate(token) - logits.margin(token)
      if (lower > heap[0]!) replaceLowest(heap, lower)
    }
  }
  return heap[0]!
}

function replaceLowest(heap: Float64Array, value: number): void {
  let place = 0
  for (;;) {
    let child = 2 * place + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++
    if (heap[child]! >= value) break
    heap[place] = heap[child]!
    place = child
  }
  heap[place] = value
}

/** Returns the k highest tokens and all that equal the k-th, best first (TopKLogitsWarper of transformers keeps ties). */
export function topK(logits: Logits, k: number): RankedToken[] {
  const ranked = exactRanking(logits, tokensBetween(logits, kthHighestLower(logits, k), Infinity))
  const last = ranked[Math.min(k, ranked.length) - 1]
  return last ? ranked.filter(({ logit }) => logit >= last.logit) : []
}
