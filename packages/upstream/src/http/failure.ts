import type { EngineError } from '@petals-chat/engine'

export interface FailureOptions {
  /** Where the same request may succeed: at another server, there or here a moment later, or nowhere. */
  readonly retry: 'anywhere' | 'elsewhere' | 'nowhere'
  /** What is wrong with the server itself; undefined if only the request failed. */
  readonly serverProblem?: string | undefined
  /** When the server wants to be asked again. */
  readonly retryAfterMs?: number | undefined
}

/** An attempt that failed: the error for the caller, and what follows from it for the next attempt. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly error: EngineError
  readonly retry: FailureOptions['retry']
  readonly serverProblem: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(error: EngineError, { retry, serverProblem, retryAfterMs }: FailureOptions) {
    super(error.message, { cause: error })
    this.error = error
    this.retry = retry
    this.serverProblem = serverProblem
    this.retryAfterMs = retryAfterMs
  }
}
