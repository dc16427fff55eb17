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
  type Model,
  type ScoreOptions,
  type Session,
  type TokenId,
  type TokenScore,
} from '@petals-chat/engine'
import { grammarSource } from '../grammar/grammar-source.ts'
import type { GenerateCommand, TokenDetails } from '../protocol.ts'
import { TokenStream } from './token-stream.ts'
import type { ModelWorker } from '../worker/model-worker.ts'
import { ProcessReplaced, RequestFailed } from '../worker/requests.ts'

export interface LlamaSessionOptions {
  readonly model: Pick<Model, 'id' | 'tokenizer' | 'capabilities'>
  readonly worker: ModelWorker
  /** Gives the session a slot again after its process was replaced. @throws CapacityError */
  readonly reclaimSlot: () => number
  readonly slot: number
  readonly maxLength: number
  /** Called once, when the slot is free. */
  readonly onClose: () => void
}

/** So many times an answer goes on in a new process that other requests made necessary. */
const MAX_REPLACEMENTS = 3

/** One sequence of a model's context, in the model's process. */
export class LlamaSession implements Session {
  readonly maxLength: number
  readonly #options: LlamaSessionOptions
  #generation: number
  #slot: number
  readonly #guard = new SessionGuard()
  readonly #closing = new AbortController()
  #tokens: TokenId[] = []
  /** The process has stopped what ran before, and its slot holds exactly `tokens`. */
  #settled: Promise<unknown> = Promise.resolve()
  #failure: Error | undefined

  constructor(options: LlamaSessionOptions) {
    this.#options = options
    this.#generation = options.worker.generation
    this.#slot = options.slot
    this.maxLength = options.maxLength
  }

  get tokens(): readonly TokenId[] {
    return this.#tokens
  }

  /** The process that held the KV cache has died. */
  get isLost(): boolean {
    return this.#generation !== this.#options.worker.generation
  }

  /** Lost, and in no call that would bring it back. */
  get isAbandoned(): boolean {
    return this.isLost && !this.#guard.busy
  }

  async *generate(
    tokens: readonly TokenId[],
    options: GenerateOptions,
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    using _call = this.#guard.enter()
    const { model } = this.#options
    options.signal?.throwIfAborted()
    validateTokens(tokens, model.tokenizer.vocabSize)
    validateGenerateOptions(options, model)
    const grammar = options.grammar && grammarSource(options.grammar)
    this.#options.worker.checkGrammar(grammar)
    const signal = this.#signal(options)
    let inputs = [...(await this.#begin(tokens.length, signal)), ...tokens]
    let stream = this.#startStream({ tokens: inputs, answered: 0 }, options, grammar)
    let count = 0
    let replacements = 0
    try {
      for (;;) {
        let token: TokenDetails
        try {
          token = await stream.next(signal)
        } catch (error) {
          const mayGoOn = error instanceof ProcessReplaced && replacements++ < MAX_REPLACEMENTS
          // The state of a grammar is lost with its process.
          if (!mayGoOn || (count > 0 && grammar !== undefined)) throw error
          inputs = [...(await this.#revive(signal)), ...inputs]
          stream = this.#startStream({ tokens: inputs, answered: count }, options, grammar)
          continue
        }
        this.#tokens.push(...inputs)
        count++
        yield toGeneratedToken(token)
        inputs = [token.token]
      }
    } catch (error) {
      throw this.#fail(error)
    } finally {
      this.#stop()
    }
  }

  #startStream(
    inputs: Pick<GenerateCommand, 'tokens' | 'answered'>,
    { sampling, topLogprobs }: GenerateOptions,
    grammar: string | undefined,
  ): TokenStream {
    const { model, worker } = this.#options
    const { maxLength } = this
    return new TokenStream({
      worker,
      command: { slot: this.#slot, ...inputs, sampling, topLogprobs, grammar, maxLength },
      isEndToken: (token) => model.tokenizer.eosTokens.has(token),
    })
  }

  async score(tokens: readonly TokenId[], options: ScoreOptions = {}): Promise<readonly TokenScore[]> {
    using _call = this.#guard.enter()
    const { model, worker } = this.#options
    const { topLogprobs = 0 } = options
    options.signal?.throwIfAborted()
    validateTokens(tokens, model.tokenizer.vocabSize)
    validateTopLogprobs(topLogprobs)
    const signal = this.#signal(options)
    const inputs = [...(await this.#begin(tokens.length, signal)), ...tokens]
    const slot = this.#slot

    const reply = worker.call((request) => ({ type: 'score', request, slot, tokens: inputs, topLogprobs }))
    try {
      const answer = await abortable(reply, signal)
      if (answer.type !== 'scores')
        throw new GenerationFailedError('The process of the model gave no scores.')
      this.#tokens.push(...inputs)
      return answer.scores.slice(-tokens.length).map(toTokenScore)
    } catch (error) {
      reply.catch(() => {}) // nobody waits for it any more
      this.#stop()
      throw this.#fail(error)
    }
  }

  async truncate(length: number, options: AbortOptions = {}): Promise<void> {
    using _call = this.#guard.enter()
    const { worker } = this.#options
    options.signal?.throwIfAborted()
    validateTruncation(length, this.#tokens.length)
    await this.#settled
    this.#checkUsable()
    if (length === this.#tokens.length) return
    // The KV cache is gone with its process: what is computed again is shorter then.
    if (this.isLost) return void (this.#tokens.length = length)
    const slot = this.#slot
    try {
      await worker.call((request) => ({ type: 'truncate', request, slot, length }))
      this.#tokens.length = length
    } catch (error) {
      throw this.#fail(error)
    }
  }

  /**
   * Waits for what was stopped before. Gives the tokens that the KV cache has lost with its process: they are to be
   * computed again, in front of the new ones. @throws ContextLengthError if there is no room for so many tokens more.
   */
  async #begin(count: number, signal: AbortSignal): Promise<readonly TokenId[]> {
    const needed = this.#tokens.length + count
    if (needed > this.maxLength) throw new ContextLengthError(needed, this.maxLength)
    await this.#settled
    this.#checkUsable()
    return this.isLost ? this.#revive(signal) : []
  }

  #checkUsable(): void {
    this.#closing.signal.throwIfAborted()
    if (this.#failure) throw this.#failure
  }

  /** Moves to the process that took the place of the dead one. Gives the tokens that the session had. */
  async #revive(signal: AbortSignal): Promise<readonly TokenId[]> {
    const { worker, reclaimSlot } = this.#options
    await worker.ready({ signal })
    this.#slot = reclaimSlot()
    this.#generation = worker.generation
    const lost = this.#tokens
    this.#tokens = []
    return lost
  }

  #signal({ signal }: AbortOptions): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
  }

  /** Lets the process stop within a step and cut its slot down to `tokens`, which it may be ahead of. */
  #stop(): void {
    const { worker } = this.#options
    // A closed session has given its slot back, perhaps to another one.
    if (this.isLost || this.#closing.signal.aborted) return
    const slot = this.#slot
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
    const { worker, onClose } = this.#options
    const slot = this.#slot
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
