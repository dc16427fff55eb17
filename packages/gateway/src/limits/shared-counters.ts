import type { Logger } from '@petals-chat/engine'
import { Valkey } from 'iovalkey'
import type { StoreConfig } from './limits-config.ts'
import { type KnownWindow, KnownWindows } from './known-windows.ts'
import type { CountedWindow, WindowCounters } from './window-counters.ts'
import { type WindowStore, windowStore } from './window-store.ts'

/** A healthy store answers within a few milliseconds. A refusal must reach its client within 50. */
const STORE_TIMEOUT_MS = 30

/** Milliseconds without a question to a store that did not answer. */
const PAUSE_MS = 1_000

const MAX_RECONNECT_MS = 5_000

/**
 * Counts in a Valkey or Redis server, so that several gateways share their limits. Each gateway tells what it has counted in
 * a window all in all, so that a message counts once, however often it is sent. While the server can't be reached or does
 * not answer, this process goes on from what it has last seen, and tells the server afterwards. No request fails.
 */
export function sharedCounters({ url, username, password }: StoreConfig, logger: Logger): WindowCounters {
  const client = new Valkey(url, {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    keyPrefix: 'petals-chat:',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // What was not answered is told again from here.
    autoResendUnfulfilledCommands: false,
    connectTimeout: 2_000,
    retryStrategy: (times) => Math.min(100 * 2 ** times, MAX_RECONNECT_MS),
  })
  const health = new StoreHealth(logger)
  client.on('error', (error) => health.lost(error))
  const isReachable = () => client.status === 'ready' && !health.isPaused
  return {
    ...new ToldCounters(windowStore(client), health, isReachable).counters,
    async [Symbol.asyncDispose]() {
      client.disconnect()
    },
  }
}

/** Counts here, and tells the store. */
class ToldCounters {
  readonly counters: Omit<WindowCounters, keyof AsyncDisposable> = {
    add: (key, amount, seconds) => this.#add(this.#known.open(key, seconds), amount),
    peek: (key) => this.#peek(key),
  }
  readonly #store: WindowStore
  readonly #health: StoreHealth
  readonly #isReachable: () => boolean
  readonly #known = new KnownWindows()
  /** The store may have to be told something. */
  #isBehind = false

  constructor(store: WindowStore, health: StoreHealth, isReachable: () => boolean) {
    this.#store = store
    this.#health = health
    this.#isReachable = isReachable
  }

  async #add(window: KnownWindow, amount: number): Promise<CountedWindow> {
    window.add(amount)
    if (this.#isReachable()) await this.#tell(window)
    else this.#isBehind = true
    return window.state
  }

  async #tell(window: KnownWindow): Promise<void> {
    const message = window.next()
    const answer = this.#store.tell(message).then((state) => window.answered(message, state))
    try {
      await within(STORE_TIMEOUT_MS, answer)
      this.#found()
    } catch (error) {
      this.#isBehind = true
      this.#health.lost(error)
    }
  }

  async #peek(key: string): Promise<CountedWindow | undefined> {
    const known = this.#known.find(key)
    if (!this.#isReachable()) return known?.state
    if (known?.isAhead) return this.#add(known, 0)
    try {
      const state = await within(STORE_TIMEOUT_MS, this.#store.peek(key))
      this.#found()
      if (state === undefined) return undefined
      const window = this.#known.open(key, state.resetMs / 1000)
      // Something may have been counted meanwhile: then its own answer counts.
      if (!window.isAhead) window.observed(state)
      return window.state
    } catch (error) {
      this.#health.lost(error)
      return known?.state
    }
  }

  #found(): void {
    this.#health.found()
    if (!this.#isBehind) return
    this.#isBehind = false
    void this.#tellAll()
  }

  /** Tells the store what it does not know, also of callers that send nothing more. */
  async #tellAll(): Promise<void> {
    for (const window of this.#known.ahead()) await this.#tell(window)
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
