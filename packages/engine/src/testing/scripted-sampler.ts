import type { GeneratedToken, TokenLogprob } from '../engine.ts'
import type { SamplingParams } from '../sampling-params.ts'
import type { TokenId } from '../tokenizer.ts'

/** Returns the log probabilities of all tokens, from their logits. */
export function logSoftmax(logits: Float64Array): Float64Array {
  const highest = Math.max(...logits)
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0)
  return logits.map((logit) => logit - highest - Math.log(total))
}

/** Returns the most probable tokens, best first. */
export function topTokens(logprobs: Float64Array, count: number): readonly TokenLogprob[] {
  return ranked(logprobs)
    .slice(0, count)
    .map((token) => ({ token, logprob: logprobs[token]! }))
}

/** Returns what a session yields: the token, with log probabilities if they were requested. */
export function describeToken(
  token: TokenId,
  logits: Float64Array,
  topLogprobs: number | undefined,
): GeneratedToken {
  if (topLogprobs === undefined) return { token }
  const logprobs = logSoftmax(logits)
  return { token, logprob: logprobs[token], topLogprobs: topTokens(logprobs, topLogprobs) }
}

/** Chooses tokens as `SamplingParams` says; plain and slow, for small vocabularies. */
export class ScriptedSampler {
  readonly #params: SamplingParams
  readonly #random: () => number
  readonly #generated: TokenId[] = []

  constructor(params: SamplingParams) {
    this.#params = params
    this.#random = params.seed === undefined ? Math.random : mulberry32(params.seed)
  }

  /** `history`: all tokens of the session so far. */
  sample(logits: Float64Array, history: readonly TokenId[]): TokenId {
    const adjusted = this.#penalize(logits.slice(), history)
    const token = this.#params.temperature === 0 ? ranked(adjusted)[0]! : this.#draw(adjusted)
    this.#generated.push(token)
    return token
  }

  #penalize(logits: Float64Array, history: readonly TokenId[]): Float64Array {
    const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias = [] } = this.#params
    for (const token of new Set(history)) {
      logits[token] =
        logits[token]! > 0 ? logits[token]! / repetitionPenalty : logits[token]! * repetitionPenalty
    }
    for (const token of new Set(this.#generated)) logits[token] = logits[token]! - presencePenalty
    for (const token of this.#generated) logits[token] = logits[token]! - frequencyPenalty
    for (const [token, bias] of logitBias) logits[token] = logits[token]! + bias
    return logits
  }

  #draw(logits: Float64Array): TokenId {
    const { temperature, topK = Infinity, topP = 1, minP = 0 } = this.#params
    const candidates = ranked(logits).slice(0, topK)
    const best = logits[candidates[0]!]!
    const weights = candidates.map((token) => Math.exp((logits[token]! - best) / temperature))
    const total = sum(weights)
    const kept = weights.filter((weight, index) => {
      const before = sum(weights.slice(0, index)) / total
      return (index === 0 || before < topP) && weight >= minP
    })
    let point = this.#random() * sum(kept)
    const chosen = kept.findIndex((weight) => (point -= weight) < 0)
    return candidates[Math.max(chosen, 0)]!
  }
}

function ranked(values: Float64Array): TokenId[] {
  return [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Tommy Ettinger's Mulberry32: enough for tests, 32 bits of state. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
