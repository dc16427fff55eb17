import type { ApiErrorDetails } from '../api/errors.ts'
import type { LiveAnswer, PendingRetry } from '../chat/live-answer.ts'

/**
 * `resume`: resume the same stream. `ask`: send a new request, which continues after the present text.
 * `shorten`: the same, with less of the chat.
 */
export interface RetryStep {
  readonly how: 'resume' | 'ask' | 'shorten'
  readonly delayMs: number
  readonly reason: PendingRetry['reason']
}

/** Consecutive attempts to resume a stream without a new token: about 90 s, then the stream counts as lost. */
const MAX_RESUMES = 14
const FIRST_RESUME_MS = 500
const MAX_RESUME_MS = 10_000
/** New requests in place of failed ones. */
const MAX_ASKS = 3
const NETWORK_RETRY_MS = 1000
const CAPACITY_RETRY_MS = 3000
const MAX_CAPACITY_RETRY_MS = 15_000

/** Decides what follows a failure, so that cut connections, restarts and full servers do not concern the reader. */
export class RetryPolicy {
  #resumes = 0
  #asks = 0
  #shortened = false
  #piecesBefore = 0

  /** Returns the next step; undefined if the failure must be shown. */
  next(error: ApiErrorDetails, answer: LiveAnswer): RetryStep | undefined {
    if (answer.pieces > this.#piecesBefore) this.#resumes = 0
    this.#piecesBefore = answer.pieces
    if (error.code === 'answer_gone') return this.#ask('network', 0)
    if (error.kind === 'network') return answer.position ? this.#resume() : this.#askAgain()
    if (answer.position && isRefusedForNow(error)) return this.#resume(error)
    if (error.kind === 'capacity') return this.#ask('capacity', capacityDelay(error))
    if (error.kind === 'rate-limit') return this.#askAtLimit(error)
    if (error.code === 'shutting_down') return this.#askAgain()
    if (error.kind === 'context-length') return this.#shorten()
    return undefined
  }

  /** `refusal`: what the server says to the request to resume, which it may accept later. */
  #resume(refusal?: ApiErrorDetails): RetryStep | undefined {
    if (this.#resumes >= MAX_RESUMES) return undefined
    const usualMs =
      this.#resumes === 0 ? 0 : Math.min(MAX_RESUME_MS, FIRST_RESUME_MS * 2 ** (this.#resumes - 1))
    this.#resumes += 1
    const reason =
      refusal === undefined ? 'network' : refusal.kind === 'rate-limit' ? 'rate-limit' : 'capacity'
    return { how: 'resume', reason, delayMs: Math.max(usualMs, refusal?.retryAfterMs ?? 0) }
  }

  #askAgain(): RetryStep | undefined {
    return this.#ask('network', NETWORK_RETRY_MS * (this.#asks + 1))
  }

  #ask(reason: RetryStep['reason'], delayMs: number): RetryStep | undefined {
    if (this.#asks >= MAX_ASKS) return undefined
    this.#asks += 1
    this.#piecesBefore = 0
    return { how: 'ask', reason, delayMs }
  }

  /** A limit of a minute or a day is told to the reader, with its end; only a moment is waited for. */
  #askAtLimit({ retryAfterMs = Infinity }: ApiErrorDetails): RetryStep | undefined {
    return retryAfterMs <= MAX_CAPACITY_RETRY_MS ? this.#ask('rate-limit', retryAfterMs) : undefined
  }

  /** The page's own token count was too low or missing: tries once more with the server's figure. */
  #shorten(): RetryStep | undefined {
    if (this.#shortened) return undefined
    this.#shortened = true
    return { how: 'shorten', reason: 'network', delayMs: 0 }
  }
}

/**
 * The request to resume an answer was refused, and not the answer itself, whose errors come in its stream: the server still
 * keeps it, and writes on.
 */
function isRefusedForNow({ status, retryAfterMs = 0 }: ApiErrorDetails): boolean {
  return (status === 429 || status === 503 || status === 504) && retryAfterMs <= MAX_CAPACITY_RETRY_MS
}

function capacityDelay({ retryAfterMs = CAPACITY_RETRY_MS }: ApiErrorDetails): number {
  return Math.min(MAX_CAPACITY_RETRY_MS, retryAfterMs)
}
