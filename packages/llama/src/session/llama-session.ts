import {
  grammarSource,
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
  type DraftCount,
  type GeneratedToken,
  type GenerateOptions,
  type Model,
  type ScoreOptions,
  type Session,
  type TokenId,
  type TokenScore,
} from '@petals-chat/engine'
import type { AnswerToken, GenerateCommand, TokenDetails } from '../protocol.ts'
import type { ModelWorker } from '../worker/model-worker.ts'
import { ProcessReplaced, RequestFailed } from '../worker/requests.ts'
import { Slot } from './slot.ts'
import { TokenStream } from './token-stream.ts'

export interface LlamaSessionOptions {
  readonly model: Pick<Model, 'id' | 'tokenizer' | 'capabilities'>
  readonly worker: ModelWorker
  /** The number of the session's sequence in the model's context. */
  readonly slot: number
  /** Returns a slot again after the model's process was replaced. @throws CapacityError */
  readonly reclaimSlot: () => number
  readonly maxLength: number
  /** Called once, when the slot is free. */
  readonly onClose: () => void
}

/** What one answer is generated with. */
interface AnswerOptions extends Pick<GenerateOptions, 'sampling' | 'topLogprobs' | 'prediction'> {
  readonly grammar: string | undefined
  readonly maxNewTokens: number
  readonly signal: AbortSignal
}

/** An answer continues in a new process at most this often, where other requests made the replacements necessary. */
const MAX_REPLACEMENTS = 3
/** The same for requests that a process did not live to answer: one of them may be what it died of. */
const MAX_UNSEEN = 1

/** Whether a request may run again after `error`, having done so `replacements` times. */
const mayRunAgain = (error: unknown, replacements: number): boolean =>
  error instanceof ProcessReplaced && replacements < (error.isUnseen ? MAX_UNSEEN : MAX_REPLACEMENTS)

/** One sequence of a model's context, in the model's process. */
export class LlamaSession implements Session {
  readonly maxLength: number
  readonly #options: LlamaSessionOptions
  readonly #slot: Slot
  readonly #guard = new SessionGuard()
  readonly #closing = new AbortController()
  #tokens: TokenId[] = []
  #failure: Error | undefined
  #drafts: DraftCount = { accepted: 0, rejected: 0 }

  constructor(options: LlamaSessionOptions) {
    const { worker, slot, reclaimSlot, maxLength } = options
    this.#options = options
    this.#slot = new Slot({ worker, id: slot, reclaim: reclaimSlot })
    this.maxLength = maxLength
  }

  get tokens(): readonly TokenId[] {
    return this.#tokens
  }

  drafts(): DraftCount {
    return this.#drafts
  }

  /** True if the session has lost its KV cache and no call is in progress that would restore it. */
  get isAbandoned(): boolean {
    return this.#slot.isLost && !this.#guard.busy
  }

  async *generate(
    tokens: readonly TokenId[],
    options: GenerateOptions,
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    using _call = this.#guard.enter()
    const { model, worker } = this.#options
    options.signal?.throwIfAborted()
    validateTokens(tokens, model.tokenizer.vocabSize)
    validateGenerateOptions(options, model)
    const grammar = options.grammar && grammarSource(options.grammar)
    worker.checkGrammar(grammar)
    const { sampling, topLogprobs, prediction, maxNewTokens = Infinity } = options
    const signal = this.#signal(options)
    const inputs = [...(await this.#begin(tokens.length, signal)), ...tokens]
    try {
      const answer = this.#answer(inputs, {
        sampling,
        topLogprobs,
        prediction,
        grammar,
        maxNewTokens,
        signal,
      })
      for await (const token of answer) yield toGeneratedToken(token)
    } catch (error) {
      throw this.#fail(error)
    } finally {
      this.#stop()
    }
  }

  /** The tokens of an answer. It continues in a new process if its own is replaced because of another request. */
  async *#answer(prompt: readonly TokenId[], options: AnswerOptions): AsyncGenerator<AnswerToken> {
    let inputs = prompt
    let answered = 0
    for (let replacements = 0; ; replacements++) {
      const stream = this.#startStream({ tokens: inputs, answered }, options)
      try {
        while (answered < options.maxNewTokens) {
          const token = await stream.next(options.signal)
          this.#tokens.push(...inputs)
          inputs = [token.token]
          answered++
          this.#count(token)
          yield token
        }
        return
      } catch (error) {
        // The state of a grammar is lost with its process.
        const canContinue = answered === 0 || options.grammar === undefined
        if (!mayRunAgain(error, replacements) || !canContinue) throw error
      }
      inputs = [...(await this.#revive(options.signal)), ...inputs]
    }
  }

  #count({ wasDraft = false, rejected = 0 }: AnswerToken): void {
    const { accepted, rejected: before } = this.#drafts
    this.#drafts = { accepted: accepted + (wasDraft ? 1 : 0), rejected: before + rejected }
  }

  #startStream(
    inputs: Pick<GenerateCommand, 'tokens' | 'answered'>,
    { sampling, topLogprobs, prediction = [], grammar, maxNewTokens }: AnswerOptions,
  ): TokenStream {
    const { model, worker } = this.#options
    const { maxLength } = this
    return new TokenStream({
      worker,
      command: { slot: this.#slot.id, ...inputs, prediction, sampling, topLogprobs, grammar, maxLength },
      most: maxNewTokens - inputs.answered,
      isEndToken: (token) => model.tokenizer.eosTokens.has(token),
    })
  }

  async score(tokens: readonly TokenId[], options: ScoreOptions = {}): Promise<readonly TokenScore[]> {
    using _call = this.#guard.enter()
    const { model } = this.#options
    const { topLogprobs = 0 } = options
    options.signal?.throwIfAborted()
    validateTokens(tokens, model.tokenizer.vocabSize)
    validateTopLogprobs(topLogprobs)
    const signal = this.#signal(options)
    const inputs = [...(await this.#begin(tokens.length, signal)), ...tokens]
    try {
      const scores = await this.#score(inputs, topLogprobs, signal)
      return scores.slice(-tokens.length).map(toTokenScore)
    } catch (error) {
      this.#stop()
      throw this.#fail(error)
    }
  }

  /** As an answer, it runs again if its process is replaced. */
  async #score(
    prompt: readonly TokenId[],
    topLogprobs: number,
    signal: AbortSignal,
  ): Promise<readonly TokenDetails[]> {
    let inputs = prompt
    for (let replacements = 0; ; replacements++) {
      const [slot, tokens] = [this.#slot.id, inputs]
      const reply = this.#options.worker.call((request) => ({
        type: 'score',
        request,
        slot,
        tokens,
        topLogprobs,
      }))
      try {
        const answer = await abortable(reply, signal)
        if (answer.type !== 'scores')
          throw new GenerationFailedError("The model's process returned no scores.")
        this.#tokens.push(...inputs)
        return answer.scores
      } catch (error) {
        reply.catch(() => {}) // after an abort nothing waits for the reply
        if (!mayRunAgain(error, replacements)) throw error
      }
      inputs = [...(await this.#revive(signal)), ...inputs]
    }
  }

  async truncate(length: number, options: AbortOptions = {}): Promise<void> {
    using _call = this.#guard.enter()
    options.signal?.throwIfAborted()
    validateTruncation(length, this.#tokens.length)
    await this.#slot.settled()
    this.#checkUsable()
    if (length === this.#tokens.length) return
    // A lost KV cache needs no truncation: fewer tokens will be computed again.
    if (this.#slot.isLost) return void (this.#tokens.length = length)
    try {
      await this.#slot.truncate(length)
    } catch (error) {
      if (!this.#slot.isLost) throw this.#fail(error)
    }
    this.#tokens.length = length
  }

  /**
   * Waits until the previous call has stopped. Returns the tokens whose KV cache was lost with its process: they are
   * computed again before the new ones. @throws ContextLengthError if `count` more tokens do not fit.
   */
  async #begin(count: number, signal: AbortSignal): Promise<readonly TokenId[]> {
    const needed = this.#tokens.length + count
    if (needed > this.maxLength) throw new ContextLengthError(needed, this.maxLength)
    await this.#slot.settled()
    this.#checkUsable()
    return this.#slot.isLost ? this.#revive(signal) : []
  }

  #checkUsable(): void {
    this.#closing.signal.throwIfAborted()
    if (this.#failure) throw this.#failure
  }

  /** Moves to the new process. Returns the tokens that the session had: its KV cache is empty now. */
  async #revive(signal: AbortSignal): Promise<readonly TokenId[]> {
    await this.#slot.revive({ signal })
    const lost = this.#tokens
    this.#tokens = []
    return lost
  }

  #signal({ signal }: AbortOptions): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
  }

  #stop(): void {
    // A closed session has returned its slot, which another session may use by now.
    if (this.#slot.isLost || this.#closing.signal.aborted) return
    this.#slot.stop(this.#tokens.length, (error) => this.#fail(error))
  }

  /** Returns the error for the caller. After a failed step the KV cache is unknown, so the session can't be used again. */
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
          `Generation with the model '${this.#options.model.id}' failed: ${error.message}.`,
        )
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#guard.close()) return
    this.#closing.abort(new ModelUnavailableError('The session was closed.'))
    await this.#slot.clear()
    this.#options.onClose()
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
