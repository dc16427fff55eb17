import type { CountedWindow, WindowCounters } from './window-counters.ts'

export interface AccountWindowOptions {
  readonly counters: WindowCounters
  /** Names the account, the limit and, for a limit per day, the day. */
  readonly key: string
  readonly limit: number
  readonly seconds: number
  /** For how much longer the count is kept. Default: 0. */
  readonly extraSeconds?: number
}

/** One limit of one account, as one request sees it. It measures time by a clock that is never set. */
export class AccountWindow {
  readonly limit: number
  readonly #options: AccountWindowOptions
  #last: CountedWindow
  #seenAt = performance.now()

  constructor(options: AccountWindowOptions) {
    this.limit = options.limit
    this.#options = options
    this.#last = { used: 0, resetMs: options.seconds * 1000 }
  }

  /** What was left when the window was last seen. */
  get remaining(): number {
    return Math.max(this.limit - this.#last.used, 0)
  }

  /** Milliseconds until all of it can be used again. */
  get resetMs(): number {
    return Math.max(this.#last.resetMs - (performance.now() - this.#seenAt), 0)
  }

  /** Looks at the window without counting. Resolves to what is left. */
  async look(): Promise<number> {
    const window = await this.#options.counters.peek(this.#options.key)
    this.#see(window ?? { used: 0, resetMs: this.#options.seconds * 1000 })
    return this.remaining
  }

  /** Counts, also beyond the limit. Resolves to what was used before. */
  async add(amount: number): Promise<number> {
    const window = await this.#options.counters.add(this.#options.key, amount, this.#keptSeconds)
    this.#see(window)
    return window.used - amount
  }

  /**
   * Counts what a request may need at most, as far as the limit allows.
   *
   * @param needed - the least that must be left for the request to begin
   * @returns what was counted; undefined if less than `needed` was left, and nothing was counted
   */
  async reserve(most: number, needed: number): Promise<Reservation | undefined> {
    // Others see what is counted, until it is taken back below.
    const wanted = Math.min(most, this.limit)
    const before = await this.add(wanted)
    if (before + needed > this.limit) {
      await this.add(-wanted)
      return undefined
    }
    const counted = Math.max(Math.min(wanted, this.limit - before), 0)
    if (counted < wanted) await this.add(counted - wanted)
    return { window: this, counted, endsAt: performance.now() + this.resetMs }
  }

  get #keptSeconds(): number {
    return this.#options.seconds + (this.#options.extraSeconds ?? 0)
  }

  #see(window: CountedWindow): void {
    // The counters may keep it for longer than it is, also because they measure by a clock that was set back.
    const resetMs = Math.min(window.resetMs, this.#options.seconds * 1000)
    this.#last = { used: window.used, resetMs }
    this.#seenAt = performance.now()
  }
}

/** What a request has counted in advance. */
export interface Reservation {
  readonly window: AccountWindow
  readonly counted: number
  /** When the window ends, in milliseconds of `performance.now()`. */
  readonly endsAt: number
}

/** Corrects a reservation to what was used. A window that has ended gives nothing back: its count has ended with it. */
export async function settle({ window, counted, endsAt }: Reservation, used: number): Promise<void> {
  const difference = used - counted
  if (difference > 0 || (difference < 0 && performance.now() < endsAt)) await window.add(difference)
}
