import type { GeneratedToken, SamplingParams, TokenId, TokenLogprob } from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'
import { createProcessor, ProcessedLogits, type History } from './processors.ts'
import { seededRandom, type Random } from './random.ts'
import { argmax, leadingTokens, ProbabilityRanking, topK, type RankedToken } from './ranking.ts'

/** Chooses tokens as transformers' processors and warpers do: penalties, temperature, top-k, top-p, min-p, multinomial. */
export interface Sampler {
  sample(logits: Logits, history: History): TokenId
}

/** @param seed 32 bits; the same seed and the same logits give the same tokens. */
export function createSampler(params: SamplingParams, seed: number): Sampler {
  const random = seededRandom(seed)
  return {
    sample(logits, history) {
      const processor = createProcessor(params, history)
      const processed = processor ? new ProcessedLogits(logits, processor, params) : logits
      return params.temperature === 0 ? argmax(processed) : draw(processed, params, random)
    },
  }
}

function draw(logits: Logits, params: SamplingParams, random: Random): TokenId {
  const { temperature, topP = 1, minP = 0 } = params
  if (params.topK !== undefined && params.topK < logits.size) {
    return pick(nucleus(topK(logits, params.topK), temperature, topP, minP), temperature, random)
  }
  const ranking = new ProbabilityRanking(logits, temperature)
  if (topP < 1 || minP > 0) {
    const leading = topP < 1 ? leadingTokens(ranking, topP) : reachingShare(ranking, temperature, minP)
    return pick(aboveShare(leading, temperature, minP), temperature, random)
  }
  // No filter: the first token at which the sum of probabilities passes the random number, without summing them all.
  return leadingTokens(ranking, 1 - random()).at(-1)!.token
}

/** Tokens that have at least `share` of the best one's probability. */
function aboveShare(
  ranked: readonly RankedToken[],
  temperature: number,
  share: number,
): readonly RankedToken[] {
  const best = ranked[0]?.logit ?? 0
  const lowest = share > 0 ? best + Math.log(share) * temperature : -Infinity
  return ranked.filter(({ logit }) => logit >= lowest)
}

function reachingShare(
  ranking: ProbabilityRanking,
  temperature: number,
  share: number,
): readonly RankedToken[] {
  const lowest = ranking.highestLogit + Math.log(share) * temperature
  while (!ranking.isComplete && ranking.restHighest >= lowest) ranking.extend()
  return ranking.ranked
}

/** Top-p, then min-p, on a short exact list, whose probabilities sum to 1 as after transformers' top-k. */
function nucleus(
  ranked: readonly RankedToken[],
  temperature: number,
  topP: number,
  minP: number,
): readonly RankedToken[] {
  const weights = weightsOf(ranked, temperature)
  const enough = topP * weights.reduce((sum, weight) => sum + weight, 0)
  let sum = 0
  let count = 0
  while (count < ranked.length && (count === 0 || sum < enough)) sum += weights[count++]!
  return aboveShare(topP < 1 ? ranked.slice(0, count) : ranked, temperature, minP)
}

function weightsOf(ranked: readonly RankedToken[], temperature: number): number[] {
  const best = ranked[0]?.logit ?? 0
  return ranked.map(({ logit }) => Math.exp((logit - best) / temperature))
}

function pick(ranked: readonly RankedToken[], temperature: number, random: Random): TokenId {
  const weights = weightsOf(ranked, temperature)
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0)
  for (let i = 0; i < ranked.length; i++) {
    left -= weights[i]!
    if (left < 0) return ranked[i]!.token
  }
  return ranked.at(-1)!.token
}

/** Width, in nats, to which the sum over the whole vocabulary must be known for a reported log probability. */
const logprobTolerance = 1e-4

/** Natural logarithms of probabilities before temperature and filters: of `token`, and of the `count` best. */
export function describeToken(logits: Logits, token: TokenId, count: number): GeneratedToken {
  const ranking = new ProbabilityRanking(logits, 1)
  while (
    !ranking.isComplete &&
    ranking.restUpper - ranking.restLower > logprobTolerance * ranking.rankedWeight
  ) {
    ranking.extend()
  }
  const total = ranking.rankedWeight + (ranking.restLower + ranking.restUpper) / 2
  const logprobOf = (logit: number): number => Math.min(0, logit - ranking.highestLogit - Math.log(total))
  const topLogprobs: TokenLogprob[] = (count > 0 ? topK(logits, count).slice(0, count) : []).map((entry) => ({
    token: entry.token,
    logprob: logprobOf(entry.logit),
  }))
  return { token, logprob: logprobOf(logits.exact(token)), topLogprobs }
}
