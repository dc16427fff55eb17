import { GenerationFailedError, type TokenId } from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'

export interface RankedToken {
  readonly token: TokenId
  /** Exact. */
  readonly logit: number
}

/** Highest logit first; among equals the lower token id, as argmax. */
export const byRank = (a: RankedToken, b: RankedToken): number => b.logit - a.logit || a.token - b.token

/** Tokens whose logit may be in [low, high): by the upper end of what their bound allows. */
export function tokensBetween({ estimates, margins }: Logits, low: number, high: number): TokenId[] {
  const tokens: TokenId[] = []
  for (let token = 0; token < estimates.length; token++) {
    const upper = estimates[token]! + margins[token]!
    if (upper >= low && upper < high) tokens.push(token)
  }
  return tokens
}

export const exactRanking = (logits: Logits, tokens: readonly TokenId[]): RankedToken[] =>
  tokens.map((token) => ({ token, logit: logits.exact(token) })).sort(byRank)

/** The highest lower end of all bounds: the best logit is at least this. */
function highestLower({ estimates, margins }: Logits): number {
  let highest = -Infinity
  for (let token = 0; token < estimates.length; token++) {
    const lower = estimates[token]! - margins[token]!
    if (lower > highest) highest = lower
  }
  return highest
}

/** The token with the highest logit. @throws GenerationFailedError if the logits are not numbers. */
export function bestToken(logits: Logits): RankedToken {
  const [best] = exactRanking(logits, tokensBetween(logits, highestLower(logits), Infinity))
  if (best && Number.isFinite(best.logit)) return best
  throw new GenerationFailedError(
    'The servers of the swarm sent hidden states that are not numbers (NaN or infinity), so there is no next token. Try again: another route may be chosen.',
  )
}

/** The k-th highest lower end of a bound (k ≥ 1), or the lowest if there are fewer. Keeps a heap of k: no sort of everything. */
function kthHighestLower({ estimates, margins, size }: Logits, k: number): number {
  const heap = new Float64Array(Math.min(k, size)).fill(-Infinity)
  for (let token = 0; token < size; token++) {
    const lower = estimates[token]! - margins[token]!
    if (lower > heap[0]!) replaceLowest(heap, lower)
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

/** The k highest, and whatever equals the k-th (TopKLogitsWarper of transformers keeps ties). Best first. */
export function topK(logits: Logits, k: number): RankedToken[] {
  const ranked = exactRanking(logits, tokensBetween(logits, kthHighestLower(logits, k), Infinity))
  const last = ranked[Math.min(k, ranked.length) - 1]
  return last ? ranked.filter(({ logit }) => logit >= last.logit) : []
}
