const WINDOW_MS = 60_000

interface Window {
  count: number
  readonly endsAt: number
}

/** Names that are remembered, so that an attacker with many addresses can't fill the memory. */
const MAX_NAMES = 10_000

/**
 * Counts by name, in windows of a minute. Here by hand, since the library of limits counts only asynchronously, and a caller
 * must be known before the first byte of a WebSocket is read.
 */
export class FixedWindows {
  readonly #windows = new Map<string, Window>()
  readonly #max: number
  readonly #now: () => number

  /** `max`: what a name may count in a minute. `now`: milliseconds of a clock that is never set. */
  constructor(max: number, now: () => number = () => performance.now()) {
    this.#max = max
    this.#now = now
  }

  /** Counts once. Returns the milliseconds until the window ends if that was too often; else undefined. */
  count(name: string): number | undefined {
    const window = this.#windowOf(name)
    window.count += 1
    return window.count <= this.#max ? undefined : Math.max(window.endsAt - this.#now(), 1)
  }

  #windowOf(name: string): Window {
    const known = this.#windows.get(name)
    if (known !== undefined && known.endsAt > this.#now()) return known
    const window = { count: 0, endsAt: this.#now() + WINDOW_MS }
    // Deleted first, so that the map stays in the order of the ends.
    this.#windows.delete(name)
    this.#windows.set(name, window)
    const [oldest] = this.#windows.keys()
    if (this.#windows.size > MAX_NAMES && oldest !== undefined) this.#windows.delete(oldest)
    return window
  }
}
