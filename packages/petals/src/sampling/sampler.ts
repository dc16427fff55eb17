import type { SamplingParams, TokenId } from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'
import { drawToken } from './draw.ts'
import { createFilter } from './filters.ts'
import { gumbelKey } from './gumbel.ts'
import { processLogits, type History } from './processors.ts'
import { seededBits } from './random.ts'
import { bestToken } from './ranking.ts'

/** Chooses tokens as transformers' processors and warpers do: penalties, temperature, top-k, top-p, min-p, multinomial. */
export interface Sampler {
  /**
   * @param tokens - if only some tokens may be chosen: these, in ascending order; `logits` are then theirs alone
   * @throws GenerationFailedError if the logits are not finite.
   */
  sample(logits: Logits, history: History, tokens?: Int32Array): TokenId
}

/** @param seed 32 bits. The same seed and the same logits give the same tokens. */
export function createSampler(params: SamplingParams, seed: number): Sampler {
  const random = seededBits(seed)
  return {
    sample(logits, history, tokens) {
      const processed = processLogits(logits, params, history, tokens)
      const best = bestToken(processed)
      const { temperature } = params
      const key = gumbelKey(random)
      const chosen =
        temperature === 0
          ? best.token
          : drawToken(processed, { temperature, best, key }, createFilter(processed, params, best))
      return tokens ? tokens[chosen]! : chosen
    },
  }
}
