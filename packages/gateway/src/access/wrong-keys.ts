import { RateLimitError } from '../errors.ts'

const WINDOW_MS = 60_000
/** Networks that are remembered, so that an attacker with many addresses can't fill the memory. */
const MAX_NETWORKS = 10_000

interface Window {
  count: number
  readonly endsAt: number
}

/**
 * Counts the wrong keys of each network. A key that is right always counts: behind a proxy that is not trusted, all clients
 * share one address, and a single one must not lock out the others. Guessing a key is hopeless with its 256 bits anyway;
 * the limit stops clients that repeat a wrong key for ever. Here by hand, since the library counts only asynchronously, and
 * a caller must be known before the first byte of a WebSocket is read.
 */
export class WrongKeys {
  readonly #windows = new Map<string, Window>()
  readonly #perMinute: number
  readonly #now: () => number

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#perMinute = perMinute
    this.#now = now
  }

  /** Counts a wrong key. Returns an error in place of that of the key if there were too many; else undefined. */
  count(network: string): RateLimitError | undefined {
    const window = this.#windowOf(network)
    window.count += 1
    if (window.count <= this.#perMinute) return undefined
    return new RateLimitError(
      'Too many requests with wrong API keys came from this address. Check the key; the right one is accepted at once.',
      Math.max(window.endsAt - this.#now(), 1),
    )
  }

  #windowOf(network: string): Window {
    const known = this.#windows.get(network)
    if (known !== undefined && known.endsAt > this.#now()) return known
    const window = { count: 0, endsAt: this.#now() + WINDOW_MS }
    // Deleted first, so that the map stays in the order of the ends.
    this.#windows.delete(network)
    this.#windows.set(network, window)
    const [oldest] = this.#windows.keys()
    if (this.#windows.size > MAX_NETWORKS && oldest !== undefined) this.#windows.delete(oldest)
    return window
  }
}
