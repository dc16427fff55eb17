import type { Logits } from '../tensor/logits.ts'
import { ProbabilityMass } from './probability-mass.ts'
import { topK, type RankedToken } from './ranking.ts'

/** Says of a token with its exact logit whether it may be drawn. If one may, so may all of a better rank. */
export type Filter = (candidate: RankedToken) => boolean

/**
 * Top-p as TopPLogitsWarper of transformers: a token may be drawn unless the tokens in front of it have the probability
 * `fraction` already. Exact: it makes more logits exact until their bounds leave no doubt.
 */
export function topPFilter(logits: Logits, temperature: number, best: RankedToken, fraction: number): Filter {
  let mass: ProbabilityMass | undefined
  return (candidate) => {
    if (candidate.token === best.token) return true
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

/** Min-p: a token may be drawn if it has at least `share` of the best one's probability. */
export function minPFilter(temperature: number, best: RankedToken, share: number): Filter {
  const lowest = best.logit + Math.log(share) * temperature
  return ({ logit }) => logit >= lowest
}

/** What top-k leaves, and of this top-p, whose probabilities sum to 1 over just these tokens, as transformers chains them. Best first. */
export function topKAndP(
  logits: Logits,
  temperature: number,
  k: number,
  fraction: number,
): readonly RankedToken[] {
  const ranked = topK(logits, k)
  const weights = ranked.map(({ logit }) => Math.exp((logit - ranked[0]!.logit) / temperature))
  const enough = fraction * weights.reduce((sum, weight) => sum + weight, 0)
  let sum = 0
  let count = 0
  while (count < ranked.length && (count === 0 || sum < enough)) sum += weights[count++]!
  return fraction < 1 ? ranked.slice(0, count) : ranked
}
