import type { ApiErrorDetails } from '../api/errors.ts'
import type { LiveAnswer, PendingRetry } from '../chat/live-answer.ts'

/**
 * `resume`: take the same stream up again. `ask`: send a request anew, which goes on after what is there.
 * `shorten`: the same, with less of the chat.
 */
export interface RetryStep {
  readonly how: 'resume' | 'ask' | 'shorten'
  readonly delayMs: number
  readonly reason: PendingRetry['reason']
}

/** Attempts to take a stream up again, one after another, without a token in between: about 90 s, then it is gone. */
const MAX_RESUMES = 14
const FIRST_RESUME_MS = 500
const MAX_RESUME_MS = 10_000
/** Requests in place of one that failed. */
const MAX_ASKS = 3
const NETWORK_RETRY_MS = 1000
const CAPACITY_RETRY_MS = 3000
const MAX_CAPACITY_RETRY_MS = 15_000

/** Decides what follows on a failure, so that connections, restarts and full servers are not the reader's business. */
export class RetryPolicy {
  #resumes = 0
  #asks = 0
  #shortened = false
  #piecesBefore = 0

  /** What to do now; undefined where the failure has to be shown. */
  next(error: ApiErrorDetails, answer: LiveAnswer): RetryStep | undefined {
    if (answer.pieces > this.#piecesBefore) this.#resumes = 0
    this.#piecesBefore = answer.pieces
    if (error.code === 'answer_gone') return this.#ask('network', 0)
    if (error.kind === 'network') return answer.position ? this.#resume() : this.#askAgain()
    if (error.kind === 'capacity') return this.#ask('capacity', capacityDelay(error))
    if (error.code === 'shutting_down') return this.#askAgain()
    if (error.kind === 'context-length') return this.#shorten()
    return undefined
  }

  #resume(): RetryStep | undefined {
    if (this.#resumes >= MAX_RESUMES) return undefined
    const delayMs = this.#resumes === 0 ? 0 : FIRST_RESUME_MS * 2 ** (this.#resumes - 1)
    this.#resumes += 1
    return { how: 'resume', reason: 'network', delayMs: Math.min(MAX_RESUME_MS, delayMs) }
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

  /** The page's own count of tokens was too low, or there was none: once more, with the server's word for it. */
  #shorten(): RetryStep | undefined {
    if (this.#shortened) return undefined
    this.#shortened = true
    return { how: 'shorten', reason: 'network', delayMs: 0 }
  }
}

function capacityDelay({ retryAfterMs = CAPACITY_RETRY_MS }: ApiErrorDetails): number {
  return Math.min(MAX_CAPACITY_RETRY_MS, retryAfterMs)
}
