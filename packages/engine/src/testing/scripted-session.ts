import type { AbortOptions } from '../abort.ts'
import type {
  GenerateOptions,
  GeneratedToken,
  Grammar,
  ScoreOptions,
  Session,
  TokenScore,
} from '../engine.ts'
import { ContextLengthError, InvalidRequestError, ModelUnavailableError } from '../errors.ts'
import { SessionGuard } from '../session-guard.ts'
import type { TokenId } from '../tokenizer.ts'
import {
  validateGenerateOptions,
  validateTokens,
  validateTopLogprobs,
  validateTruncation,
} from '../validation.ts'
import { grammarInstance } from './schema-instance.ts'
import type { ScriptedModel } from './scripted-model.ts'
import { describeToken, logSoftmax, ScriptedSampler, topTokens } from './scripted-sampler.ts'
import { scriptedTokenizer, specialToken } from './scripted-tokenizer.ts'

export class ScriptedSession implements Session {
  readonly maxLength: number
  readonly #model: ScriptedModel
  readonly #index: number
  readonly #onClose: () => void
  readonly #guard = new SessionGuard()
  readonly #closing = new AbortController()
  readonly #tokens: TokenId[] = []

  constructor(model: ScriptedModel, index: number, maxLength: number, onClose: () => void) {
    this.#model = model
    this.#index = index
    this.maxLength = maxLength
    this.#onClose = onClose
  }

  get tokens(): readonly TokenId[] {
    return this.#tokens
  }

  async *generate(
    tokens: readonly TokenId[],
    options: GenerateOptions,
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    using _call = this.#guard.enter()
    options.signal?.throwIfAborted()
    validateTokens(tokens, this.#model.tokenizer.vocabSize)
    validateGenerateOptions(options, this.#model)
    this.#model.engine.options.onGenerate?.(options)
    const sampler = new ScriptedSampler(options.sampling)
    const form = options.grammar && this.#formOf(options.grammar)

    let inputs = tokens
    const { maxNewTokens = Infinity } = options
    for (let step = 0; step < maxNewTokens; step++) {
      await this.#run(inputs, step, options)
      const logits = this.#model.logits(this.#tokens)
      const token = form ? (form[step] ?? specialToken('</s>')) : sampler.sample(logits, this.#tokens)
      yield describeToken(token, logits, options.topLogprobs)
      inputs = [token]
    }
  }

  async score(tokens: readonly TokenId[], options: ScoreOptions = {}): Promise<readonly TokenScore[]> {
    using _call = this.#guard.enter()
    options.signal?.throwIfAborted()
    validateTokens(tokens, this.#model.tokenizer.vocabSize)
    const { topLogprobs = 0 } = options
    validateTopLogprobs(topLogprobs)
    if (!this.#model.capabilities.promptLogprobs) {
      throw new InvalidRequestError('This model gives no log probabilities of prompts.', { param: 'echo' })
    }
    const before = this.#tokens.length
    await this.#run(tokens, 0, options)
    return tokens.map((token, index) => {
      const history = this.#tokens.slice(0, before + index)
      if (history.length === 0) return { token, logprob: undefined, topLogprobs: [] }
      const logprobs = logSoftmax(this.#model.logits(history))
      return { token, logprob: logprobs[token], topLogprobs: topTokens(logprobs, topLogprobs) }
    })
  }

  async truncate(length: number, options: AbortOptions = {}): Promise<void> {
    using _call = this.#guard.enter()
    options.signal?.throwIfAborted()
    validateTruncation(length, this.#tokens.length)
    this.#tokens.length = length
  }

  /** Puts `tokens` into the cache: one step. */
  async #run(tokens: readonly TokenId[], step: number, { signal }: AbortOptions): Promise<void> {
    const needed = this.#tokens.length + tokens.length
    if (needed > this.maxLength) throw new ContextLengthError(needed, this.maxLength)
    const stop = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    await this.#model.engine.step({ session: this.#index, step, tokens: tokens.length }, stop)
    this.#tokens.push(...tokens)
  }

  #formOf(grammar: Grammar): readonly TokenId[] {
    const { grammarReply } = this.#model.engine.options
    return scriptedTokenizer.encode(grammarReply?.(grammar) ?? grammarInstance(grammar))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#guard.close()) return
    this.#closing.abort(new ModelUnavailableError('The session was closed.'))
    this.#onClose()
  }
}
