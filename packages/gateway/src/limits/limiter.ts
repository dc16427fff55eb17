import type { Counter, Metrics } from '@petals-chat/engine'
import type { Quota } from './quota.ts'
import { AccountWindow } from './account-window.ts'
import { Allowance, RunningAnswers } from './allowance.ts'
import type { RequestTrace } from '../tracing/tracing.ts'
import type { UsageRecorder } from '../usage/usage-recorder.ts'
import { dayOf, type UsageEntry } from '@petals-chat/access'
import type { WindowCounters } from './window-counters.ts'

export interface LimiterOptions {
  readonly counters: WindowCounters
  readonly metrics: Metrics
  /** Records what each piece of work has used, and knows what was used before this process started. */
  readonly usage: Pick<UsageRecorder, 'record' | 'read'>
}

const MINUTE_SECONDS = 60
const DAY_MS = 24 * 60 * 60 * 1000

/** The count of a day stays for longer: if the clock is set back, the same day goes on. */
const EXTRA_SECONDS = 2 * 60 * 60

/** Applies the limits of all callers. */
export class Limiter implements AsyncDisposable {
  readonly #options: LimiterOptions
  readonly #running = new RunningAnswers()
  readonly #refused: Counter
  /** The windows of this day that already hold what was used before this process started. */
  #continued: { day: string; readonly keys: Map<string, Promise<void>> } = { day: '', keys: new Map() }

  constructor(options: LimiterOptions) {
    this.#options = options
    this.#refused = options.metrics.counter({
      name: 'petals_chat_refused_requests_total',
      help: 'Requests that were refused because their caller has used what it may use, by the limit.',
      labels: ['limit'],
    })
  }

  /** Begins to count one request. */
  async allowanceOf(quota: Quota, trace?: RequestTrace): Promise<Allowance> {
    const { limits, account: id, caller } = quota
    const day = dayOf(Date.now())
    if (limits.tokensPerDay !== undefined || limits.swarmSecondsPerDay !== undefined)
      await this.#continueDay(quota, day)
    return new Allowance({
      quota,
      trace,
      running: this.#running,
      windows: {
        requests: this.#window(`requests:${id}`, limits.requestsPerMinute, MINUTE_SECONDS),
        tokens: this.#window(`tokens:${id}`, limits.tokensPerMinute, MINUTE_SECONDS),
        tokensOfDay: this.#window(
          `tokens:${day}:${id}`,
          limits.tokensPerDay,
          secondsLeftOfDay(),
          EXTRA_SECONDS,
        ),
        swarmOfDay: this.#window(
          `swarm:${day}:${id}`,
          limits.swarmSecondsPerDay && limits.swarmSecondsPerDay * 1000,
          secondsLeftOfDay(),
          EXTRA_SECONDS,
        ),
      },
      onRefused: (limit) => this.#refused.add(1, { limit }),
      onUsed: (model, use) => this.#options.usage.record(caller, model, use),
    })
  }

  /** Closes the connection to a shared store. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.counters[Symbol.asyncDispose]()
  }

  #window(
    key: string,
    limit: number | undefined,
    seconds: number,
    extraSeconds = 0,
  ): AccountWindow | undefined {
    return limit === undefined
      ? undefined
      : new AccountWindow({ counters: this.#options.counters, key, limit, seconds, extraSeconds })
  }

  /** The first request of a day counts what was used before this process started. */
  async #continueDay({ account: id, caller }: Quota, day: string): Promise<void> {
    // Addresses are not kept, so nothing is known of what they used.
    if (id !== caller) return
    if (this.#continued.day !== day) this.#continued = { day, keys: new Map() }
    const { keys } = this.#continued
    const known = keys.get(id) ?? this.#addUsed(id, day)
    keys.set(id, known)
    try {
      await known
    } catch (error) {
      keys.delete(id) // the next request tries again
      throw error
    }
  }

  async #addUsed(id: string, day: string): Promise<void> {
    const { counters, usage } = this.#options
    const entries = usage.read({ from: day, to: day, caller: id })
    const sum = (amountOf: (entry: UsageEntry) => number): number =>
      entries.reduce((total, entry) => total + amountOf(entry), 0)
    for (const [key, amount] of [
      [`tokens:${day}:${id}`, sum(({ promptTokens, completionTokens }) => promptTokens + completionTokens)],
      [`swarm:${day}:${id}`, sum(({ swarmMs }) => swarmMs)],
    ] as const) {
      if (amount > 0 && (await counters.peek(key)) === undefined)
        await counters.add(key, amount, secondsLeftOfDay() + EXTRA_SECONDS)
    }
  }
}

const secondsLeftOfDay = (): number => Math.max(Math.ceil((DAY_MS - (Date.now() % DAY_MS)) / 1000), 1)
