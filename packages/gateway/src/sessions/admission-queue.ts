import { type AbortOptions, CapacityError } from '@petals-chat/engine'

export interface AdmissionConfig {
  /** Permits that can be out at the same time. */
  readonly maxPermits: number
  readonly queueLength: number
  readonly queueTimeoutMs: number
}

interface Waiter {
  readonly admit: () => void
  readonly refuse: (reason: unknown) => void
}

/** Bounds of `retryAfterMs` for refused clients: long enough to be useful, and not longer than a person waits. */
const MIN_RETRY_MS = 1_000
const MAX_RETRY_MS = 60_000

/** Weight of the newest measurement in the running mean of how long permits are held. */
const HOLD_TIME_WEIGHT = 0.2

/**
 * First come, first served: at most `maxPermits` permits are out, and a bounded number of requests wait. If the engine has
 * space for fewer sessions, the caller reports that by `shrink`; every returned permit then raises the limit by one again.
 */
export class AdmissionQueue {
  readonly #config: AdmissionConfig
  readonly #waiters: Waiter[] = []
  #permits = 0
  #limit: number
  #meanHoldMs = MIN_RETRY_MS

  constructor(config: AdmissionConfig) {
    this.#config = config
    this.#limit = config.maxPermits
  }

  /** Permits that are out. */
  get active(): number {
    return this.#permits
  }

  get waiting(): number {
    return this.#waiters.length
  }

  /** Resolves with a permit. @throws CapacityError when the queue is full or the wait too long; the signal's reason. */
  async enter({ signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    if (this.#waiters.length === 0 && this.#permits < this.#limit) {
      this.#permits += 1
      return
    }
    if (this.#waiters.length >= this.#config.queueLength)
      throw this.#full('All sessions are in use and the queue is full.')
    await this.#wait('last', signal)
  }

  /** Returns a permit that was held for `heldMs`. */
  leave(heldMs: number): void {
    this.#meanHoldMs += HOLD_TIME_WEIGHT * (heldMs - this.#meanHoldMs)
    this.#limit = Math.min(this.#limit + 1, this.#config.maxPermits)
    this.#permits -= 1
    this.#admitNext()
  }

  /**
   * Lowers the limit because the engine has no space for the session of the caller's permit, and waits, ahead of all other
   * requests, until another permit is returned. The only holder of a permit must not call it.
   */
  async shrink({ signal }: AbortOptions = {}): Promise<void> {
    this.#permits -= 1
    this.#limit = this.#permits
    await this.#wait('first', signal)
  }

  async #wait(place: 'first' | 'last', signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { admit: resolve, refuse: reject }
    if (place === 'first') this.#waiters.unshift(waiter)
    else this.#waiters.push(waiter)
    const abort = () => this.#drop(waiter, signal?.reason)
    const timer = setTimeout(() => {
      const seconds = Math.round(this.#config.queueTimeoutMs / 1000)
      this.#drop(waiter, this.#full(`No session became free within ${seconds} s.`))
    }, this.#config.queueTimeoutMs)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  #admitNext(): void {
    while (this.#permits < this.#limit) {
      const waiter = this.#waiters.shift()
      if (waiter === undefined) return
      this.#permits += 1
      waiter.admit()
    }
  }

  #drop(waiter: Waiter, reason: unknown): void {
    const index = this.#waiters.indexOf(waiter)
    if (index < 0) return
    this.#waiters.splice(index, 1)
    waiter.refuse(reason)
  }

  #full(message: string): CapacityError {
    const rounds = (this.#waiters.length + 1) / Math.max(this.#limit, 1)
    const retryAfterMs = Math.min(Math.max(rounds * this.#meanHoldMs, MIN_RETRY_MS), MAX_RETRY_MS)
    return new CapacityError(`${message} Try again later.`, { retryAfterMs })
  }
}
