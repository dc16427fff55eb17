import type { TokenId } from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'

export interface RankedToken {
  readonly token: TokenId
  readonly logit: number
}

/** Highest logit first; among equals the lower token id, as argmax. */
const byRank = (a: RankedToken, b: RankedToken): number => b.logit - a.logit || a.token - b.token

const exactRanking = (logits: Logits, tokens: readonly TokenId[]): RankedToken[] =>
  tokens.map((token) => ({ token, logit: logits.exact(token) })).sort(byRank)

/** Tokens whose logit may be `threshold` or more. */
function possiblyAtLeast(logits: Logits, threshold: number): TokenId[] {
  const tokens: TokenId[] = []
  const { estimates, size } = logits
  for (let token = 0; token < size; token++) {
    if (estimates[token]! + logits.margin(token) >= threshold) tokens.push(token)
  }
  return tokens
}

/** The token with the highest exact logit. */
export function argmax(logits: Logits): TokenId {
  let best = -Infinity
  for (let token = 0; token < logits.size; token++) {
    const lower = logits.estimates[token]! - logits.margin(token)
    if (lower > best) best = lower
  }
  const [first] = exactRanking(logits, possiblyAtLeast(logits, best))
  if (!first) throw new RangeError('The logits hold no number: the servers sent something else.')
  return first.token
}

/** The k-th highest of these values (k ≥ 1), or the lowest if there are fewer. Keeps a heap of k: no sort of everything. */
function kthHighest(size: number, k: number, value: (index: number) => number): number {
  const heap = new Float64Array(Math.min(k, size)).fill(-Infinity)
  for (let index = 0; index < size; index++) {
    const candidate = value(index)
    if (!(candidate > heap[0]!)) continue
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++
      if (heap[child]! >= candidate) break
      heap[place] = heap[child]!
      place = child
    }
    heap[place] = candidate
  }
  return heap[0]!
}

/** The k highest, and whatever equals the k-th (TopKLogitsWarper of transformers keeps ties). Best first. */
export function topK(logits: Logits, k: number): RankedToken[] {
  const lower = kthHighest(logits.size, k, (token) => logits.estimates[token]! - logits.margin(token))
  const ranked = exactRanking(logits, possiblyAtLeast(logits, lower))
  const last = ranked[Math.min(k, ranked.length) - 1]
  return last ? ranked.filter(({ logit }) => logit >= last.logit) : []
}

/** How far below the best logit the first exact values reach, in units of the temperature; then this much further. */
const firstReach = 8
const furtherReach = 6

/** A growing list of the most probable tokens, with bounds for the probability of all the others. */
export class ProbabilityRanking {
  readonly #logits: Logits
  readonly #temperature: number
  readonly #highest: number
  #reach = firstReach
  /** Best first. Weights are exp((logit - highest) / temperature). */
  ranked: (RankedToken & { readonly weight: number })[] = []
  /** Sum of the weights of `ranked`. */
  rankedWeight = 0
  /** Bounds of the sum of the weights of all other tokens. */
  restLower = 0
  restUpper = 0
  /** No other token has a logit above this. */
  restHighest = -Infinity

  constructor(logits: Logits, temperature: number) {
    this.#logits = logits
    this.#temperature = temperature
    this.#highest = logits.exact(argmax(logits))
    this.#rank()
  }

  get isComplete(): boolean {
    return this.ranked.length === this.#logits.size
  }

  get highestLogit(): number {
    return this.#highest
  }

  /** Looks deeper. The third time everything is made exact. */
  extend(): void {
    this.#reach = this.#reach > firstReach + furtherReach ? Infinity : this.#reach + furtherReach
    this.#rank()
  }

  weightOf(logit: number): number {
    return Math.exp((logit - this.#highest) / this.#temperature)
  }

  #rank(): void {
    const { estimates, size } = this.#logits
    const threshold = this.#highest - this.#reach * this.#temperature
    const inside: TokenId[] = []
    this.restLower = 0
    this.restUpper = 0
    this.restHighest = -Infinity
    for (let token = 0; token < size; token++) {
      const margin = this.#logits.margin(token)
      const upper = estimates[token]! + margin
      if (upper >= threshold) {
        inside.push(token)
        continue
      }
      this.restUpper += this.weightOf(upper)
      this.restLower += this.weightOf(upper - 2 * margin)
      if (upper > this.restHighest) this.restHighest = upper
    }
    const ranked = exactRanking(this.#logits, inside)
    this.ranked = ranked.map((entry) => ({ ...entry, weight: this.weightOf(entry.logit) }))
    this.rankedWeight = this.ranked.reduce((sum, { weight }) => sum + weight, 0)
  }
}

/**
 * The smallest number of leading tokens whose probability reaches `fraction`, 0 < fraction ≤ 1, with the tokens; exact:
 * it looks deeper until the bounds leave no doubt.
 */
export function leadingTokens(ranking: ProbabilityRanking, fraction: number): RankedToken[] {
  for (;;) {
    const count = countReaching(ranking, fraction)
    if (count !== undefined) return ranking.ranked.slice(0, count)
    ranking.extend()
  }
}

function countReaching(ranking: ProbabilityRanking, fraction: number): number | undefined {
  const { ranked, rankedWeight, restLower, restUpper, restHighest, isComplete } = ranking
  const lower = fraction * (rankedWeight + restLower)
  const upper = fraction * (rankedWeight + restUpper)
  let sum = 0
  for (let i = 0; i < ranked.length; i++) {
    const { logit, weight } = ranked[i]!
    if (!isComplete && logit < restHighest) return undefined
    const before = sum
    sum += weight
    if (sum >= upper) return before < lower || i === 0 ? i + 1 : undefined
  }
  return isComplete ? ranked.length : undefined
}
