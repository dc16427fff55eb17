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
/** A server that asks to wait longer than this is not waited for: a person would rather know. */
const longestRetryAfterMs = 60_000

/** Counts the failures in a row of one piece of work, and pauses between the attempts. */
export class Retries {
  readonly #policy: RetryPolicy
  readonly #logger: Logger
  #failures = 0

  constructor(policy: RetryPolicy, logger: Logger) {
    this.#policy = policy
    this.#logger = logger
  }

  /** The work went on: the next failure is the first again. */
  reset(): void {
    this.#failures = 0
  }

  /** Pauses if another attempt makes sense. @throws the error itself if not */
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

  /** Doubling, with up to a quarter less, so that many clients don't come back at the same moment. */
  #backoffMs(): number {
    const full = Math.min(this.#policy.retryDelayMs * 2 ** this.#failures, longestDelayMs)
    return Math.round(full * (1 - Math.random() / 4))
  }
}

/** Does the work, again after a pause where it failed for a reason that may pass. */
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
