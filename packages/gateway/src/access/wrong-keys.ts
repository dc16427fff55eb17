import { RateLimitError } from '../errors.ts'
import { FixedWindows } from './fixed-windows.ts'

/**
 * Counts the wrong keys of each network. A key that is right always counts: behind a proxy that is not trusted, all clients
 * share one address, and a single one must not lock out the others. Guessing a key is hopeless with its 256 bits anyway;
 * the limit stops clients that repeat a wrong key for ever.
 */
export class WrongKeys {
  readonly #windows: FixedWindows

  /** `now`: milliseconds of a clock that is never set. */
  constructor(perMinute: number, now?: () => number) {
    this.#windows = new FixedWindows(perMinute, now)
  }

  /** Counts a wrong key. Returns an error in place of that of the key if there were too many; else undefined. */
  count(network: string): RateLimitError | undefined {
    const waitMs = this.#windows.count(network)
    if (waitMs === undefined) return undefined
    return new RateLimitError(
      'Too many requests with wrong API keys came from this address. Check the key; the right one is accepted at once.',
      waitMs,
    )
  }
}
