/** Deaths further apart than this have nothing to do with each other. */
const WINDOW_MS = 10 * 60_000
/** Pause before each restart of a window; the first comes at once, as most deaths stay single. */
const DELAYS_MS = [0, 250, 1000, 4000, 10_000]
/** After the last one. */
const COOLDOWN_MS = 60_000

/** When to start a process again that has died, and when to leave it. */
export class RestartPolicy {
  readonly #maxRestarts: number
  readonly #now: () => number
  #restarts: number[] = []
  #gaveUpAt: number | undefined

  constructor(maxRestarts: number, now: () => number = Date.now) {
    this.#maxRestarts = maxRestarts
    this.#now = now
  }

  /** Milliseconds to wait before the next restart; undefined: no more for now. Each call counts as a restart. */
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

  /** Milliseconds until it makes sense to try again after giving up; 0: now. Then everything is forgotten. */
  cooldown(): number {
    if (this.#gaveUpAt === undefined) return 0
    const left = this.#gaveUpAt + COOLDOWN_MS - this.#now()
    if (left > 0) return left
    this.#gaveUpAt = undefined
    this.#restarts = []
    return 0
  }
}
