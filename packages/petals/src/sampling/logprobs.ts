import type { TokenScore, TokenId } from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'
import { ProbabilityMass } from './probability-mass.ts'
import { bestToken, topK } from './ranking.ts'

/**
 * The sum over the whole vocabulary is proven to this relative tolerance, that is, log probabilities to ±0.03. The errors of
 * the estimates have both signs and cancel: results are within 0.0005 of transformers on real models (docs/benchmarks.md).
 */
const sumTolerance = 0.03

/** Returns natural logarithms of probabilities before temperature and filters: of `token`, and of the `count` best tokens. */
export function describeToken(logits: Logits, token: TokenId, count: number): TokenScore {
  const best = bestToken(logits)
  const mass = new ProbabilityMass(logits, 1, best)
  while (mass.totalUpper - mass.totalLower > sumTolerance * mass.totalEstimate) mass.deepen()
  const logSum = best.logit + Math.log(mass.totalEstimate)
  const logprobOf = (logit: number): number => Math.min(0, logit - logSum)
  const leading = count > 0 ? topK(logits, count).slice(0, count) : []
  return {
    token,
    logprob: logprobOf(logits.exact(token)),
    topLogprobs: leading.map((entry) => ({ token: entry.token, logprob: logprobOf(entry.logit) })),
  }
}
