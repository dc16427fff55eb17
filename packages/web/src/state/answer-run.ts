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
  /** A request was refused as too long: check the model again and leave out more. */
  readonly shorten: boolean
  /** Tokens that earlier requests of the same run wrote: they count against the limit. */
  readonly writtenTokens: number
  readonly signal: AbortSignal
}

/** Makes the request for the missing part of an answer. */
export type PlanRequest = (
  answer: Pick<LiveAnswer, 'content' | 'reasoning' | 'rounds'>,
  options: PlanOptions,
) => Promise<PlannedRequest>

export interface AnswerOutcome {
  readonly status: Exclude<MessageStatus, 'streaming'>
  readonly error?: MessageError | undefined
}

export interface AnswerRunOptions {
  readonly client: AnswerClient
  /** The answer so far. If it has a position, its stream is resumed. */
  readonly answer: LiveAnswer
  readonly plan: PlanRequest
  readonly onChange: (answer: LiveAnswer) => void
  readonly now: () => number
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

/** The id of an answer arrives with the headers of its stream, usually within a second. */
const HEADERS_MS = 3000

/** Completes one answer: sends the request, resumes after cuts, and requests the rest if the server has lost the answer. */
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

  /** Never rejects. Resolves immediately when it is stopped. */
  async run(): Promise<AnswerOutcome> {
    const { signal } = this.#stop
    const stopped = new Promise<AnswerOutcome>((resolve) => {
      signal.addEventListener('abort', () => resolve({ status: 'stopped' }), { once: true })
    })
    return Promise.race([this.#untilEnd(), stopped])
  }

  /** Ends the answer; keeps the text so far. */
  stop(): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    void this.#release()
  }

  /** Ends the run because another tab has completed the answer. Sends nothing to the server. */
  leave(): void {
    this.#stop.abort()
    this.#connection.abort()
  }

  /** Call it when the network returns or the machine wakes: an older connection may be dead without a sign of it. */
  reconnect(): void {
    if (this.#answer.position) this.#connection.abort()
  }

  /** Without this, a connection that is dropped before its id is known would leave the engine working for no client. */
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
        // The text is complete; only the statistics after it are lost.
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
      // From here on the answer can be resumed, even before its first word.
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
    // A stop ends the wait; the race in `run` is over by then.
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
  const { kind, message, requestId, retryAfterMs } = error
  const status = kind === 'network' && hasBegun(answer) ? 'interrupted' : 'error'
  const retryAt = retryAfterMs === undefined ? undefined : Date.now() + retryAfterMs
  return { status, error: { kind, message, requestId, retryAt } }
}

function tokensOf({ earlierTokens, pieces }: LiveAnswer): number {
  return earlierTokens + pieces
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
