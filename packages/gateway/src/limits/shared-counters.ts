import type { Logger } from '@petals-chat/engine'
import { Valkey } from 'iovalkey'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import type { StoreConfig } from './limits-config.ts'
import { countersOf, countOnly, memoryCounters, type WindowCounters } from './window-counters.ts'

/** A healthy store answers within a few milliseconds. A refusal must reach its client within 50. */
const STORE_TIMEOUT_MS = 30

/** Milliseconds without a question to a store that did not answer. */
const PAUSE_MS = 1_000

const MAX_RECONNECT_MS = 5_000

/**
 * Counts in a Valkey or Redis server, so that several gateways share their limits. While the server can't be reached or
 * does not answer, this process counts by itself: limits are then those of each gateway, and no request fails.
 */
export function sharedCounters({ url, username, password }: StoreConfig, logger: Logger): WindowCounters {
  const client = new Valkey(url, {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    keyPrefix: 'petals-chat:',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    retryStrategy: (times) => Math.min(100 * 2 ** times, MAX_RECONNECT_MS),
  })
  const shared = countersOf(new RateLimiterRedis({ ...countOnly, keyPrefix: 'limit', storeClient: client }))
  const own = memoryCounters()
  const health = new StoreHealth(logger)
  client.on('error', (error) => health.lost(error))

  const count = async <Result>(work: (counters: typeof shared) => Promise<Result>): Promise<Result> => {
    if (client.status !== 'ready' || health.isPaused) return work(own)
    try {
      const result = await within(STORE_TIMEOUT_MS, work(shared))
      health.found()
      return result
    } catch (error) {
      health.lost(error)
      return work(own)
    }
  }
  return {
    add: (key, amount, seconds) => count((counters) => counters.add(key, amount, seconds)),
    peek: (key) => count((counters) => counters.peek(key)),
    async [Symbol.asyncDispose]() {
      client.disconnect()
    },
  }
}

/** Remembers whether the store answers, and logs each change once. */
class StoreHealth {
  readonly #logger: Logger
  #isLost = false
  #pausedUntil = 0

  constructor(logger: Logger) {
    this.#logger = logger
  }

  get isPaused(): boolean {
    return performance.now() < this.#pausedUntil
  }

  lost(error: unknown): void {
    this.#pausedUntil = performance.now() + PAUSE_MS
    if (this.#isLost) return
    this.#isLost = true
    this.#logger.warn(
      { err: error },
      'the store of server.limits.store does not answer: until it does, this gateway counts by itself',
    )
  }

  found(): void {
    if (!this.#isLost) return
    this.#isLost = false
    this.#logger.info({}, 'the store of server.limits.store answers again: gateways share their limits')
  }
}

/**
 * Rejects when the time is over. What the store does later is not waited for. If this process itself was busy, an answer
 * may have arrived that it has not read yet: it reads before it gives up.
 */
async function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  const { promise: timeout, reject } = Promise.withResolvers<never>()
  const giveUp = () => reject(new Error(`No answer within ${ms} ms.`))
  const timer = setTimeout(() => setImmediate(giveUp), ms)
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}
