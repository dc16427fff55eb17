import type { SamplingParams, TokenId } from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'

/** Changes one token's logit. Never turns the order of two values of the same token around, so bounds pass through it. */
export type Processor = (token: TokenId, logit: number) => number

export interface History {
  /** All tokens so far, prompt and answer. */
  readonly tokens: readonly TokenId[]
  /** Where the answer begins in `tokens`. */
  readonly answerStart: number
}

/**
 * Penalties and biases, in this order: transformers' RepetitionPenaltyLogitsProcessor over all tokens (a positive logit is
 * divided by the penalty, a negative one multiplied), OpenAI's presence and frequency penalties over the answer, then
 * the bias. Undefined if there is nothing to change.
 */
export function createProcessor(params: SamplingParams, history: History): Processor | undefined {
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias } = params
  const repeats = repetitionPenalty !== 1
  const counts = presencePenalty !== 0 || frequencyPenalty !== 0
  if (!repeats && !counts && !logitBias?.size) return undefined
  const seen = new Set(repeats ? history.tokens : [])
  const occurrences = new Map<TokenId, number>()
  if (counts) {
    for (let i = history.answerStart; i < history.tokens.length; i++) {
      const token = history.tokens[i]!
      occurrences.set(token, (occurrences.get(token) ?? 0) + 1)
    }
  }
  return (token, logit) => {
    let value = logit
    if (seen.has(token)) value = value > 0 ? value / repetitionPenalty : value * repetitionPenalty
    const count = occurrences.get(token)
    if (count !== undefined) value -= presencePenalty + frequencyPenalty * count
    return value + (logitBias?.get(token) ?? 0)
  }
}

/** Logits as a processor leaves them, with bounds that still hold. */
export class ProcessedLogits implements Logits {
  readonly size: number
  readonly estimates: Float32Array
  readonly #logits: Logits
  readonly #process: Processor
  readonly #factor: number

  constructor(logits: Logits, process: Processor, params: SamplingParams) {
    this.#logits = logits
    this.#process = process
    this.size = logits.size
    this.estimates = logits.estimates.map((value, token) => process(token, value))
    // A penalty below 1 stretches distances; one above 1 stretches those of negative logits.
    const penalty = params.repetitionPenalty ?? 1
    this.#factor = Math.max(penalty, 1 / penalty)
  }

  margin(token: number): number {
    const margin = this.#logits.margin(token)
    // The float32 rounding of `estimates` is part of the margin.
    return margin === 0 ? 0 : margin * this.#factor + Math.abs(this.estimates[token]!) * 1e-6
  }

  exact(token: number): number {
    return this.#process(token, this.#logits.exact(token))
  }
}
