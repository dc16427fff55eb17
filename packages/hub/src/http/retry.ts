import { setTimeout as sleep } from 'node:timers/promises'
import type { AbortOptions, Logger } from '@petals-chat/engine'
import { TransientError } from './network-error.ts'

export interface RetryPolicy {
  /** Attempts after the first one. */
  readonly retries: number
  /** Pause before the second attempt; doubles each time. */
  readonly retryDelayMs: number
}

const longestDelayMs = 8_000
/** A longer requested delay is an error, because a user would rather know than wait. */
const longestRetryAfterMs = 60_000

/** Counts consecutive failures of one task, and pauses between the attempts. */
export class Retries {
  readonly #policy: RetryPolicy
  readonly #logger: Logger
  #failures = 0

  constructor(policy: RetryPolicy, logger: Logger) {
    this.#policy = policy
    this.#logger = logger
  }

  /** Records progress: the next failure counts as the first one. */
  reset(): void {
    this.#failures = 0
  }

  /** Pauses if another attempt may succeed. @throws the error itself otherwise */
  async pause(error: unknown, label: string, { signal }: AbortOptions): Promise<void> {
    signal?.throwIfAborted()
    if (!(error instanceof TransientError) || this.#failures >= this.#policy.retries) throw error
    if ((error.retryAfterMs ?? 0) > longestRetryAfterMs) throw error
    const delayMs = error.retryAfterMs ?? this.#backoffMs()
    this.#failures += 1
    this.#logger.warn(
      { attempt: this.#failures, of: this.#policy.retries, delayMs, reason: error.message },
      `${label}: ${error.message}; trying again`,
    )
    await sleep(delayMs, undefined, { signal }).catch(() => signal?.throwIfAborted())
  }

  /** Doubles the pause, and shortens it randomly by up to a quarter, so that clients don't retry at the same moment. */
  #backoffMs(): number {
    const full = Math.min(this.#policy.retryDelayMs * 2 ** this.#failures, longestDelayMs)
    return Math.round(full * (1 - Math.random() / 4))
  }
}

/** Runs `attempt`, again after a pause if it failed for a reason that may be temporary. */
export async function withRetries<T>(
  retries: Retries,
  label: string,
  options: AbortOptions,
  attempt: () => Promise<T>,
): Promise<T> {
  while (true) {
    try {
      return await attempt()
    } catch (error) {
      await retries.pause(error, label, options)
    }
  }
}
