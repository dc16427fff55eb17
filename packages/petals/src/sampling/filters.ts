import type { SamplingParams } from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'
import { ProbabilityMass } from './probability-mass.ts'
import { byRank, tokensBetween, topK, type RankedToken } from './ranking.ts'

/** Reports whether a token with its exact logit may be drawn. If one may, so may all tokens of a better rank. */
export type Filter = (candidate: RankedToken) => boolean

/** Creates the filter of these parameters, in the order of transformers: top-k, top-p of the remaining tokens, min-p. */
export function createFilter(logits: Logits, params: SamplingParams, best: RankedToken): Filter {
  const { temperature, topK: k = Infinity, topP = 1, minP = 0 } = params
  const filters: Filter[] = []
  if (minP > 0) filters.push(minPFilter(temperature, best, minP))
  if (k < logits.size && topP < 1) filters.push(topKAndPFilter(logits, temperature, k, topP))
  else if (k < logits.size) filters.push(topKFilter(logits, k))
  else if (topP < 1) filters.push(topPFilter(logits, temperature, best, topP))
  return (candidate) => candidate.token === best.token || filters.every((allows) => allows(candidate))
}

/** A token may be drawn if it has at least `share` of the best one's probability. */
function minPFilter(temperature: number, best: RankedToken, share: number): Filter {
  const lowest = best.logit + Math.log(share) * temperature
  return ({ logit }) => logit >= lowest
}

/** TopKLogitsWarper of transformers: tokens that equal the k-th logit are kept, too. */
function topKFilter(logits: Logits, k: number): Filter {
  let lowest: number | undefined
  return ({ logit }) => {
    // Usually fewer than k tokens can be as good by their bounds, and no other logit has to be computed exactly.
    if (tokensBetween(logits, logit, Infinity).length <= k) return true
    lowest ??= topK(logits, k).at(-1)!.logit
    return logit >= lowest
  }
}

/**
 * TopPLogitsWarper of transformers: a token may be drawn unless the tokens ranked before it already have the probability
 * `fraction`. The result is exact: it computes further logits exactly until the bounds decide.
 */
function topPFilter(logits: Logits, temperature: number, best: RankedToken, fraction: number): Filter {
  let mass: ProbabilityMass | undefined
  return (candidate) => {
    mass ??= new ProbabilityMass(logits, temperature, best)
    mass.deepenTo(candidate.logit)
    const above = mass.weightAbove(candidate)
    while (!mass.isComplete) {
      if (above < fraction * mass.totalLower) return true
      if (above >= fraction * mass.totalUpper) return false
      mass.deepen()
    }
    return above < fraction * mass.totalEstimate
  }
}

/** Top-k and top-p together: top-p sums the probabilities of the k tokens alone. */
function topKAndPFilter(logits: Logits, temperature: number, k: number, fraction: number): Filter {
  let last: RankedToken | undefined
  return (candidate) => {
    last ??= lastOf(topK(logits, k), temperature, fraction)
    return byRank(candidate, last) <= 0
  }
}

/** Returns the last of the leading tokens that together reach `fraction` of the probability of all ranked tokens. */
function lastOf(ranked: readonly RankedToken[], temperature: number, fraction: number): RankedToken {
  const weights = ranked.map(({ logit }) => Math.exp((logit - ranked[0]!.logit) / temperature))
  const enough = fraction * weights.reduce((sum, weight) => sum + weight, 0)
  let sum = 0
  const last = ranked.find((_, index) => (sum += weights[index]!) >= enough)
  return last ?? ranked.at(-1)!
}
