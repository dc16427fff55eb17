import type { SamplingParams, TokenId } from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'
import { drawOf, drawToken, type Draw } from './draw.ts'
import { minPFilter, topKAndP, topPFilter, type Filter } from './filters.ts'
import { gumbelKey } from './gumbel.ts'
import { processLogits, type History } from './processors.ts'
import { seededBits } from './random.ts'
import { bestToken } from './ranking.ts'

/** Chooses tokens as transformers' processors and warpers do: penalties, temperature, top-k, top-p, min-p, multinomial. */
export interface Sampler {
  /** @throws GenerationFailedError if the logits are not numbers. */
  sample(logits: Logits, history: History): TokenId
}

/** @param seed 32 bits; the same seed and the same logits give the same tokens. */
export function createSampler(params: SamplingParams, seed: number): Sampler {
  const random = seededBits(seed)
  return {
    sample(logits, history) {
      const processed = processLogits(logits, params, history)
      const best = bestToken(processed)
      const { temperature } = params
      if (temperature === 0) return best.token
      return drawFrom(processed, params, { temperature, best, key: gumbelKey(random) })
    },
  }
}

function drawFrom(logits: Logits, { topK, topP = 1, minP = 0 }: SamplingParams, draw: Draw): TokenId {
  const { temperature, best } = draw
  const reachesMinP: Filter = minP > 0 ? minPFilter(temperature, best, minP) : () => true
  if (topK !== undefined && topK < logits.size) {
    return drawOf(topKAndP(logits, temperature, topK, topP).filter(reachesMinP), draw)
  }
  const isInTopP: Filter = topP < 1 ? topPFilter(logits, temperature, best, topP) : () => true
  return drawToken(logits, draw, (candidate) => reachesMinP(candidate) && isInTopP(candidate))
}
