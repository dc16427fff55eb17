import type { TokenId } from './tokenizer.ts'

/**
 * How the next token is chosen. Applied as in `transformers`: penalties, then temperature, top-k, top-p, min-p.
 * A field that is left out is off.
 */
export interface SamplingParams {
  /** 0 is greedy (the other filters are then without effect); else > 0. */
  readonly temperature: number
  /** Keep the k most probable tokens, k ≥ 1. */
  readonly topK?: number | undefined
  /** Keep the smallest set whose probability reaches p, 0 < p ≤ 1. */
  readonly topP?: number | undefined
  /** Keep tokens with at least this share of the best one's probability, 0 ≤ p ≤ 1. */
  readonly minP?: number | undefined
  /** `transformers`' penalty on every token of the session so far, > 0; 1 is off. */
  readonly repetitionPenalty?: number | undefined
  /** OpenAI's penalty on tokens already generated, once each, -2 … 2. */
  readonly presencePenalty?: number | undefined
  /** OpenAI's penalty on tokens already generated, per occurrence, -2 … 2. */
  readonly frequencyPenalty?: number | undefined
  /** Added to the logit of a token, -100 … 100. */
  readonly logitBias?: ReadonlyMap<TokenId, number> | undefined
  /** Same seed, same prompt, same parameters: same tokens. An integer, 0 ≤ seed < 2^32. */
  readonly seed?: number | undefined
}

/** The parameters of greedy decoding. */
export const greedy: SamplingParams = { temperature: 0 }
