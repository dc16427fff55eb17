import {
  abortable,
  ContextLengthError,
  GenerationFailedError,
  InvalidRequestError,
  ModelUnavailableError,
  SessionGuard,
  validateGenerateOptions,
  validateTokens,
  validateTopLogprobs,
  validateTruncation,
  type AbortOptions,
  type GeneratedToken,
  type GenerateOptions,
  type ScoreOptions,
  type Session,
  type TokenId,
  type TokenScore,
} from '@petals-chat/engine'
import { grammarSource } from './grammar/grammar-source.ts'
import type { LlamaModel } from './llama-model.ts'
import type { TokenDetails } from './protocol.ts'
import { TokenStream } from './token-stream.ts'
import type { ModelWorker } from './worker/model-worker.ts'
import { RequestFailed } from './worker/requests.ts'

export interface LlamaSessionOptions {
  readonly model: LlamaModel
  readonly worker: ModelWorker
  readonly slot: number
  readonly maxLength: number
  /** Called once, when the slot is free. */
  readonly onClose: () => void
}

/** One sequence of a model's context, in the model's process. */
export class LlamaSession implements Session {
  readonly maxLength: number
  readonly #options: LlamaSessionOptions
  readonly #generation: number
  readonly #guard = new SessionGuard()
  readonly #closing = new AbortController()
  #tokens: TokenId[] = []
  /** The process has stopped what ran before, and its slot holds exactly `tokens`. */
  #settled: Promise<unknown> = Promise.resolve()
  #failure: Error | undefined

  constructor(options: LlamaSessionOptions) {
    this.#options = options
    this.#generation = options.worker.generation
    this.maxLength = options.maxLength
  }

  get tokens(): readonly TokenId[] {
    return this.#tokens
  }

  /** The process that held the KV cache has died. */
  get isLost(): boolean {
    return this.#generation !== this.#options.worker.generation
  }

  async *generate(
    tokens: readonly TokenId[],
    options: GenerateOptions,
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    using _call = this.#guard.enter()
    const { model, worker, slot } = this.#options
    options.signal?.throwIfAborted()
    validateTokens(tokens, model.tokenizer.vocabSize)
    validateGenerateOptions(options, model)
    const { sampling, topLogprobs } = options
    const grammar = options.grammar && grammarSource(options.grammar)
    await this.#begin(tokens.length)

    const { maxLength } = this
    const signal = this.#signal(options)
    const isEndToken = (token: TokenId) => model.tokenizer.eosTokens.has(token)
    const command = { slot, tokens, sampling, topLogprobs, grammar, maxLength }
    const stream = new TokenStream({ worker, command, isEndToken })
    try {
      for (let inputs = tokens; ;) {
        const token = await stream.next(signal)
        this.#tokens.push(...inputs)
        yield toGeneratedToken(token)
        inputs = [token.token]
      }
    } catch (error) {
      throw this.#fail(error)
    } finally {
      this.#stop()
    }
  }

  async score(tokens: readonly TokenId[], options: ScoreOptions = {}): Promise<readonly TokenScore[]> {
    using _call = this.#guard.enter()
    const { model, worker, slot } = this.#options
    const { topLogprobs = 0 } = options
    options.signal?.throwIfAborted()
    validateTokens(tokens, model.tokenizer.vocabSize)
    validateTopLogprobs(topLogprobs)
    await this.#begin(tokens.length)

    const reply = worker.call((request) => ({ type: 'score', request, slot, tokens, topLogprobs }))
    try {
      const answer = await abortable(reply, this.#signal(options))
      if (answer.type !== 'scores')
        throw new GenerationFailedError('The process of the model gave no scores.')
      this.#tokens.push(...tokens)
      return answer.scores.map(toTokenScore)
    } catch (error) {
      reply.catch(() => {}) // nobody waits for it any more
      this.#stop()
      throw this.#fail(error)
    }
  }

  async truncate(length: number, options: AbortOptions = {}): Promise<void> {
    using _call = this.#guard.enter()
    const { worker, slot } = this.#options
    options.signal?.throwIfAborted()
    validateTruncation(length, this.#tokens.length)
    await this.#begin(0)
    if (length === this.#tokens.length) return
    try {
      await worker.call((request) => ({ type: 'truncate', request, slot, length }))
      this.#tokens.length = length
    } catch (error) {
      throw this.#fail(error)
    }
  }

  /** Waits for what was stopped before. @throws ContextLengthError if there is no room for so many tokens more. */
  async #begin(count: number): Promise<void> {
    const needed = this.#tokens.length + count
    if (needed > this.maxLength) throw new ContextLengthError(needed, this.maxLength)
    await this.#settled
    this.#checkAlive()
  }

  /** A session lives and dies with the process that holds its KV cache. */
  #checkAlive(): void {
    this.#closing.signal.throwIfAborted()
    if (this.#failure) throw this.#failure
    if (!this.isLost) return
    throw new GenerationFailedError(
      `The session is lost: the process of the model '${this.#options.model.id}' has died meanwhile. Open a new one.`,
    )
  }

  #signal({ signal }: AbortOptions): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
  }

  /** Lets the process stop within a step and cut its slot down to `tokens`, which it may be ahead of. */
  #stop(): void {
    const { worker, slot } = this.#options
    // A closed session has given its slot back, perhaps to another one.
    if (this.isLost || this.#closing.signal.aborted) return
    const keep = this.#tokens.length
    this.#settled = worker
      .call((request) => ({ type: 'stop', request, slot, keep }))
      .catch((error: unknown) => this.#fail(error))
  }

  /** The error for the caller. After a step that failed, nothing is known of the KV cache: the session can't go on. */
  #fail(error: unknown): unknown {
    if (!(error instanceof RequestFailed)) return error
    const described = this.#describe(error)
    if (error.reason === 'failed') this.#failure ??= described
    return described
  }

  #describe(error: RequestFailed): Error {
    switch (error.reason) {
      case 'length':
        return new ContextLengthError(this.#tokens.length + 1, this.maxLength)
      case 'grammar':
        return new InvalidRequestError(`The grammar can't be read: ${error.message}.`, { param: 'grammar' })
      case 'failed':
        return new GenerationFailedError(
          `The model '${this.#options.model.id}' could not go on: ${error.message}.`,
        )
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#guard.close()) return
    const { worker, slot, onClose } = this.#options
    this.#closing.abort(new ModelUnavailableError('The session was closed.'))
    if (!this.isLost) {
      await worker.call((request) => ({ type: 'clear', request, slot })).catch(() => {}) // the process died: all is clear
    }
    onClose()
  }
}

const toGeneratedToken = ({ token, logprob, top }: TokenDetails): GeneratedToken =>
  logprob === undefined ? { token } : { token, logprob, topLogprobs: top?.map(toTokenLogprob) }

const toTokenScore = ({ token, logprob, top = [] }: TokenDetails): TokenScore => ({
  token,
  logprob,
  topLogprobs: top.map(toTokenLogprob),
})

const toTokenLogprob = ([token, logprob]: readonly [TokenId, number]) => ({ token, logprob })
