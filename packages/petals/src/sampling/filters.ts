import type { SamplingParams } from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'
import { ProbabilityMass } from './probability-mass.ts'
import { byRank, tokensBetween, topK, type RankedToken } from './ranking.ts'

/** Says of a token with its exact logit whether it may be drawn. If one may, so may all of a better rank. */
export type Filter = (candidate: RankedToken) => boolean

/** The filters of these parameters, as transformers chains them: top-k, top-p of what that leaves, min-p. */
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

/** TopKLogitsWarper of transformers: what equals the k-th logit is kept too. */
function topKFilter(logits: Logits, k: number): Filter {
  let lowest: number | undefined
  return ({ logit }) => {
    // Mostly there are not even k tokens that could be as good, and no other logit has to be made exact.
    if (tokensBetween(logits, logit, Infinity).length <= k) return true
    lowest ??= topK(logits, k).at(-1)!.logit
    return logit >= lowest
  }
}

/**
 * TopPLogitsWarper of transformers: a token may be drawn unless the tokens in front of it have the probability `fraction`
 * already. Exact: it makes more logits exact until their bounds leave no doubt.
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

/** Both: the probabilities that top-p adds up are those of the k tokens alone. */
function topKAndPFilter(logits: Logits, temperature: number, k: number, fraction: number): Filter {
  let last: RankedToken | undefined
  return (candidate) => {
    last ??= lastOf(topK(logits, k), temperature, fraction)
    return byRank(candidate, last) <= 0
  }
}

/** The last of the leading tokens that are needed to reach `fraction` of the probability of all these. */
function lastOf(ranked: readonly RankedToken[], temperature: number, fraction: number): RankedToken {
  const weights = ranked.map(({ logit }) => Math.exp((logit - ranked[0]!.logit) / temperature))
  const enough = fraction * weights.reduce((sum, weight) => sum + weight, 0)
  let sum = 0
  const last = ranked.find((_, index) => (sum += weights[index]!) >= enough)
  return last ?? ranked.at(-1)!
}
