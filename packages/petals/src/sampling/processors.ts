import type { SamplingParams, TokenId } from '@petals-chat/engine'
import { stretchTokens, type Logits } from '../tensor/logits.ts'

export interface History {
  /** All tokens so far, prompt and answer. */
  readonly tokens: readonly TokenId[]
  /** Index in `tokens` at which the answer begins. */
  readonly answerStart: number
}

/** Changes the logit of one token. It is monotonic in the logit, so that it maps bounds to bounds. */
type Processor = (index: number, logit: number) => number

/**
 * Returns the logits with penalties and biases, in this order: transformers' RepetitionPenaltyLogitsProcessor over all
 * tokens (a positive logit is divided by the penalty, a negative one multiplied), OpenAI's presence and frequency penalties
 * over the answer, then the bias. Returns the same object if there is nothing to change.
 *
 * @param tokens - the tokens whose logits these are, in ascending order; default: all
 */
export function processLogits(
  logits: Logits,
  params: SamplingParams,
  history: History,
  tokens?: Int32Array,
): Logits {
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias } = params
  const seen = new Set(repetitionPenalty === 1 ? [] : history.tokens)
  const counts = new Map<TokenId, number>()
  if (presencePenalty !== 0 || frequencyPenalty !== 0) {
    for (let i = history.answerStart; i < history.tokens.length; i++) {
      const token = history.tokens[i]!
      counts.set(token, (counts.get(token) ?? 0) + 1)
    }
  }
  const touched = new Set([...seen, ...counts.keys(), ...(logitBias?.keys() ?? [])])
  if (touched.size === 0) return logits
  const indexes = tokens ? indexesOf(touched, tokens) : touched
  return new ProcessedLogits(logits, indexes, (index, logit) => {
    const token = tokens ? tokens[index]! : index
    let value = logit
    if (seen.has(token)) value = value > 0 ? value / repetitionPenalty : value * repetitionPenalty
    const count = counts.get(token)
    if (count !== undefined) value -= presencePenalty + frequencyPenalty * count
    return value + (logitBias?.get(token) ?? 0)
  })
}

/** Returns the places of those tokens that are in the list, which is sorted. */
function indexesOf(wanted: ReadonlySet<TokenId>, tokens: Int32Array): ReadonlySet<number> {
  const indexes = new Set<number>()
  tokens.forEach((token, index) => wanted.has(token) && indexes.add(index))
  return indexes
}

/** Relative error of an estimate by rounding to float32, generously. */
const roundingSlack = 1e-6
/** Below the smallest normal float32, the error is not relative any more. */
const roundingFloor = 2 ** -126

interface Bounds {
  readonly estimate: number
  readonly margin: number
}

/** Logits after a processor, with bounds that still hold. */
class ProcessedLogits implements Logits {
  readonly size: number
  readonly ceilings: Float64Array
  readonly #logits: Logits
  /** Bounds of the tokens that are changed. */
  readonly #moved = new Map<number, Bounds>()
  readonly #process: Processor

  constructor(logits: Logits, touched: ReadonlySet<TokenId>, process: Processor) {
    this.#logits = logits
    this.#process = process
    this.size = logits.size
    this.ceilings = logits.ceilings.slice()
    for (const token of touched) this.#moveBounds(token)
  }

  estimate(token: number): number {
    return this.#moved.get(token)?.estimate ?? this.#logits.estimate(token)
  }

  margin(token: number): number {
    return this.#moved.get(token)?.margin ?? this.#logits.margin(token)
  }

  exact(token: number): number {
    const logit = this.#logits.exact(token)
    return this.#moved.has(token) ? this.#process(token, logit) : logit
  }

  #moveBounds(token: TokenId): void {
    // Of tokens that the vocabulary does not have, nothing is asked.
    if (token >= this.size) return
    const estimate = this.#logits.estimate(token)
    const margin = this.#logits.margin(token)
    const low = this.#process(token, estimate - margin)
    const high = this.#process(token, estimate + margin)
    const middle = (low + high) / 2
    const rounding = Math.abs(middle) * roundingSlack + roundingFloor
    const moved = { estimate: middle, margin: ((high - low) / 2 + rounding) * (1 + roundingSlack) }
    this.#moved.set(token, moved)
    const stretch = Math.floor(token / stretchTokens)
    const upper = moved.estimate + moved.margin
    if (upper > this.ceilings[stretch]!) this.ceilings[stretch] = upper
  }
}
