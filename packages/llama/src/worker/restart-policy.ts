/** Deaths that are further apart than this are unrelated. */
const WINDOW_MS = 10 * 60_000
/** The pause before each restart of a window. The first restart is immediate, because most deaths are not repeated. */
const DELAYS_MS = [0, 250, 1000, 4000, 10_000]
/** The pause after the last restart. */
const COOLDOWN_MS = 60_000

/** Decides when a process that has died is restarted, and when to give up. */
export class RestartPolicy {
  readonly #maxRestarts: number
  readonly #now: () => number
  #restarts: number[] = []
  #gaveUpAt: number | undefined

  constructor(maxRestarts: number, now: () => number = Date.now) {
    this.#maxRestarts = maxRestarts
    this.#now = now
  }

  /** Returns the milliseconds to wait before the next restart; undefined to give up for now. Each call counts as a restart. */
  next(): number | undefined {
    const now = this.#now()
    this.#restarts = this.#restarts.filter((time) => now - time < WINDOW_MS)
    if (this.#restarts.length >= this.#maxRestarts) {
      this.#gaveUpAt = now
      return undefined
    }
    this.#restarts.push(now)
    return DELAYS_MS[Math.min(this.#restarts.length, DELAYS_MS.length) - 1]
  }

  /** Returns the milliseconds until the next attempt after giving up. At 0, an attempt is possible and the count starts again. */
  cooldown(): number {
    if (this.#gaveUpAt === undefined) return 0
    const left = this.#gaveUpAt + COOLDOWN_MS - this.#now()
    if (left > 0) return left
    this.#gaveUpAt = undefined
    this.#restarts = []
    return 0
  }
}
