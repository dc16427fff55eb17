import type { AnswerClient } from '../api/answer-client.ts'
import type { ChatRequest } from '../api/chat-request.ts'
import { toApiError, type ApiErrorDetails } from '../api/errors.ts'
import { applyChunk, hasBegun, restartAnswer, resumeAnswer, type LiveAnswer } from '../chat/live-answer.ts'
import type { LeftOut, MessageError, MessageStatus } from '../chat/types.ts'
import { RetryPolicy, type RetryStep } from './retry-policy.ts'

export interface PlannedRequest {
  readonly request: ChatRequest
  readonly leftOut?: LeftOut | undefined
}

export interface PlanOptions {
  /** A request was refused as too long: look at the model again and leave out more. */
  readonly shorten: boolean
  /** Tokens that earlier requests of the same run brought: they count against the limit. */
  readonly writtenTokens: number
  readonly signal: AbortSignal
}

/** Makes the request for what is missing of an answer. */
export type PlanRequest = (
  answer: Pick<LiveAnswer, 'content' | 'reasoning'>,
  options: PlanOptions,
) => Promise<PlannedRequest>

export interface AnswerOutcome {
  readonly status: Exclude<MessageStatus, 'streaming'>
  readonly error?: MessageError | undefined
}

export interface AnswerRunOptions {
  readonly client: AnswerClient
  /** What is there already. Where it has a position, its stream is taken up. */
  readonly answer: LiveAnswer
  readonly plan: PlanRequest
  readonly onChange: (answer: LiveAnswer) => void
  readonly now: () => number
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

/** The id of an answer comes with the headers of its stream, within a second or so. */
const HEADERS_MS = 3000

/** Brings one answer to its end: asks, comes back after cuts, and goes on where the server has lost it. */
export class AnswerRun {
  readonly #options: AnswerRunOptions
  readonly #stop = new AbortController()
  readonly #retries = new RetryPolicy()
  #answer: LiveAnswer
  #connection = new AbortController()
  #opened = Promise.withResolvers<void>()
  #answerId: string | undefined
  #shorten = false

  constructor(options: AnswerRunOptions) {
    this.#options = options
    this.#answer = options.answer
    this.#answerId = options.answer.position?.answerId
  }

  /** Never rejects. Resolves at once when it is stopped. */
  async run(): Promise<AnswerOutcome> {
    const { signal } = this.#stop
    const stopped = new Promise<AnswerOutcome>((resolve) => {
      signal.addEventListener('abort', () => resolve({ status: 'stopped' }), { once: true })
    })
    return Promise.race([this.#untilEnd(), stopped])
  }

  /** Ends the answer here; what came stays. */
  stop(): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    void this.#release()
  }

  /** Ends here what another tab has brought to its end; the server is told nothing. */
  leave(): void {
    this.#stop.abort()
    this.#connection.abort()
  }

  /** The network is back, or the machine: a connection from before may be dead without knowing it. */
  reconnect(): void {
    if (this.#answer.position) this.#connection.abort()
  }

  /** A connection that is dropped before its id is known would leave the engine at work for nobody. */
  async #release(): Promise<void> {
    const connection = this.#connection
    if (this.#answerId === undefined) await Promise.race([this.#opened.promise, delay(HEADERS_MS)])
    connection.abort()
    if (this.#answerId !== undefined) await this.#options.client.cancel(this.#answerId).catch(() => {})
  }

  async #untilEnd(): Promise<AnswerOutcome> {
    for (;;) {
      try {
        await this.#receive()
        return endOf(this.#answer)
      } catch (cause) {
        const error = toApiError(cause).details
        const step = this.#stop.signal.aborted ? undefined : this.#retries.next(error, this.#answer)
        // The last words are there, only the figures behind them are lost.
        if (step && step.how !== 'resume' && this.#answer.finishReason) return endOf(this.#answer)
        if (!step) return outcomeOf(error, this.#answer)
        await this.#prepare(step)
      }
    }
  }

  async #receive(): Promise<void> {
    const { now } = this.#options
    this.#opened = Promise.withResolvers()
    this.#connection = new AbortController()
    for await (const chunk of await this.#connect()) {
      if (this.#stop.signal.aborted) return
      this.#update(applyChunk(this.#answer, chunk, now()))
    }
  }

  async #connect(): Promise<ReturnType<AnswerClient['request']>> {
    const { client, now, plan } = this.#options
    const { position } = this.#answer
    const { signal } = this.#connection
    const onOpen = (answerId: string | undefined): void => {
      this.#answerId = answerId ?? this.#answerId
      this.#opened.resolve()
      if (position) this.#update(resumeAnswer(this.#answer, now()))
      // From here on the answer can be found again, even before its first word.
      else if (answerId) this.#update({ ...this.#answer, position: { answerId, eventId: `${answerId}:0` } })
    }
    if (position) return client.resume(position, { signal, onOpen })
    const { request, leftOut } = await plan(this.#answer, {
      shorten: this.#shorten,
      writtenTokens: tokensOf(this.#answer) - tokensOf(this.#options.answer),
      signal: this.#stop.signal,
    })
    this.#stop.signal.throwIfAborted()
    if (leftOut) this.#update({ ...this.#answer, leftOut })
    return client.request(request, { signal, onOpen })
  }

  async #prepare({ how, reason, delayMs }: RetryStep): Promise<void> {
    const at = this.#options.now() + delayMs
    if (how === 'shorten') this.#shorten = true
    if (how !== 'resume') {
      this.#answer = restartAnswer(this.#answer)
      this.#answerId = undefined
    }
    if (delayMs === 0) return
    this.#update({ ...this.#answer, retry: { reason, at } })
    // A stop ends the wait, and the race in `run` is over by then.
    await this.#options.wait(delayMs, this.#stop.signal).catch(() => {})
  }

  #update(answer: LiveAnswer): void {
    this.#answer = answer
    if (!this.#stop.signal.aborted) this.#options.onChange(answer)
  }
}

function endOf({ finishReason }: LiveAnswer): AnswerOutcome {
  return { status: finishReason === 'length' ? 'length' : 'done' }
}

function outcomeOf(error: ApiErrorDetails, answer: LiveAnswer): AnswerOutcome {
  if (error.code === 'answer_cancelled') return { status: 'stopped' }
  const { kind, message, requestId } = error
  const status = kind === 'network' && hasBegun(answer) ? 'interrupted' : 'error'
  return { status, error: { kind, message, requestId } }
}

function tokensOf({ earlierTokens, pieces }: LiveAnswer): number {
  return earlierTokens + pieces
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
