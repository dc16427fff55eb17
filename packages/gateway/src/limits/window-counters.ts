import { type RateLimiterAbstract, RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'

/** What one key has counted in a window of time that is open now. */
export interface CountedWindow {
  readonly used: number
  /** Milliseconds until the window ends; then its key counts from 0 again. */
  readonly resetMs: number
}

/** Counts by key. The window of a key opens with its first count. */
export interface WindowCounters extends AsyncDisposable {
  /**
   * Adds a whole number, which may be negative.
   *
   * @param seconds - the length of the window, if none is open for the key
   */
  add(key: string, amount: number, seconds: number): Promise<CountedWindow>
  /** Resolves to undefined if no window is open for the key. */
  peek(key: string): Promise<CountedWindow | undefined>
}

/** The library compares counts with one limit for all keys. Here each caller has its own, so the library only counts. */
const countOnly = { points: Number.MAX_SAFE_INTEGER, duration: 1 }

/** Counts in this process. */
export function memoryCounters(): WindowCounters {
  return { ...countersOf(new RateLimiterMemory(countOnly)), async [Symbol.asyncDispose]() {} }
}

/** Counts with a limiter of the library. */
const countersOf = (limiter: RateLimiterAbstract): Omit<WindowCounters, keyof AsyncDisposable> => ({
  async add(key, amount, seconds) {
    return windowOf(await limiter.penalty(key, amount, { customDuration: seconds }))
  },
  async peek(key) {
    const result = await limiter.get(key)
    return result === null || result.msBeforeNext <= 0 ? undefined : windowOf(result)
  },
})

const windowOf = ({ consumedPoints, msBeforeNext }: RateLimiterRes): CountedWindow => ({
  used: Number(consumedPoints),
  resetMs: Math.max(Number(msBeforeNext), 0),
})
