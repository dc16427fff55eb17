import { randomInt } from 'node:crypto'
import type { SamplingParams, TokenId } from '@petals-chat/engine'
import type { NativeGrammarState, NativeLayer, NativeSampler, NativeSamplerConfig } from './native.ts'

/** At lower temperatures llama.cpp's division overflows; the draw would be greedy anyway. */
const LEAST_TEMPERATURE = 1e-5
/** llama.h: LLAMA_DEFAULT_SEED, which requests a random seed. */
const RANDOM_SEED = 0xffffffff

export interface TokenSamplerOptions {
  readonly sampling: SamplingParams
  /** All tokens before the first one to choose. The repetition penalty applies to them and to the chosen ones. */
  readonly history: readonly TokenId[]
  /** How many of the last tokens of the history were chosen by an earlier sampler of the same answer. */
  readonly answered: number
  /** The longest possible history. */
  readonly maxLength: number
  readonly grammar: NativeGrammarState | undefined
}

/** Chooses the tokens of one answer with llama.cpp's samplers. */
export class TokenSampler {
  readonly #native: NativeLayer
  readonly #sampler: NativeSampler
  readonly #options: TokenSamplerOptions
  readonly #seed: number
  /** The chosen tokens, recorded only if a penalty needs them. */
  readonly #chosen: TokenId[]

  constructor(native: NativeLayer, options: TokenSamplerOptions) {
    this.#native = native
    this.#options = options
    const { history, answered } = options
    this.#chosen = history.slice(history.length - answered)
    this.#seed = resolveSeed(options.sampling.seed)
    this.#sampler = native.createSampler()
    this.#sampler.applyConfig(this.#config())
  }

  /** Chooses the next token by the logits at `batchIndex`. */
  async sample(batchIndex: number): Promise<TokenId> {
    const token = await this.#native.context.sampleToken(batchIndex, this.#sampler)
    if (token === -1)
      throw new Error('no token could be chosen because the probabilities are not valid numbers')
    if (this.#penalizesChosen) {
      this.#chosen.push(token)
      this.#sampler.applyConfig(this.#config())
    }
    return token
  }

  dispose(): void {
    this.#sampler.dispose()
  }

  get #penalizesChosen(): boolean {
    const { presencePenalty = 0, frequencyPenalty = 0 } = this.#options.sampling
    return presencePenalty !== 0 || frequencyPenalty !== 0
  }

  #config(): NativeSamplerConfig {
    const { sampling, grammar } = this.#options
    const { temperature, topK, topP, minP } = sampling
    return {
      temperature: temperature < LEAST_TEMPERATURE ? 0 : temperature,
      seed: this.#seed,
      ...(topK !== undefined && { topK: Math.min(topK, 2 ** 31 - 1) }),
      ...(topP !== undefined && topP < 1 && { topP }),
      ...(minP !== undefined && minP > 0 && { minP }),
      ...this.#repetitionPenalty(),
      ...this.#bias(),
      ...(grammar !== undefined && { grammarEvaluationState: grammar }),
    }
  }

  /** The native sampler adds the tokens that it chooses to its history. */
  #repetitionPenalty(): Partial<NativeSamplerConfig> {
    const { sampling, history, maxLength } = this.#options
    const { repetitionPenalty = 1 } = sampling
    if (repetitionPenalty === 1) return {}
    return {
      repeatPenalty: repetitionPenalty,
      repeatPenaltyTokens: Uint32Array.from([...history, ...this.#chosen]),
      repeatPenaltyMaxTokens: maxLength + 1,
    }
  }

  /** The request's own bias, and the presence and frequency penalties, which apply to chosen tokens only. */
  #bias(): Partial<NativeSamplerConfig> {
    const { logitBias, presencePenalty = 0, frequencyPenalty = 0 } = this.#options.sampling
    const biases = new Map(logitBias)
    const add = (token: TokenId, bias: number) => biases.set(token, (biases.get(token) ?? 0) + bias)
    for (const token of this.#chosen) add(token, -frequencyPenalty)
    for (const token of new Set(this.#chosen)) add(token, -presencePenalty)
    if (biases.size === 0) return {}
    return {
      tokenBiasKeys: Uint32Array.from(biases.keys()),
      tokenBiasValues: Float32Array.from(biases.values()),
    }
  }
}

function resolveSeed(seed: number | undefined): number {
  if (seed === undefined) return randomInt(RANDOM_SEED)
  return seed === RANDOM_SEED ? RANDOM_SEED - 1 : seed
}
