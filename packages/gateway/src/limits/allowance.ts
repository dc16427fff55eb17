import { ContextLengthError } from '@petals-chat/engine'
import { RateLimitError } from '../errors.ts'
import type { Quota } from './quota.ts'
import { type AccountWindow, type Reservation, settle } from './account-window.ts'
import type { RequestTrace, WorkTrace } from '../tracing/tracing.ts'
import type { Use } from '../usage/usage-recorder.ts'
import { type DescribedLimit, rateLimitHeaders, shortDuration } from './rate-limit-headers.ts'

/** The limits of one account, as one request sees them. A limit that does not apply is undefined. */
export interface AccountWindows {
  readonly requests: AccountWindow | undefined
  readonly tokens: AccountWindow | undefined
  readonly tokensOfDay: AccountWindow | undefined
  /** In milliseconds. */
  readonly swarmOfDay: AccountWindow | undefined
}

/** What a request is about to do on a model. */
export interface PlannedWork {
  readonly model: string
  /** Name of the model's engine. */
  readonly engine: string
  readonly promptTokens: number
  readonly maxNewTokens: number
  /** A part of the request was answered before: it is not refused any more. */
  readonly isContinued: boolean
}

/** What one piece of work on a model has used. */
export type WorkCost = Omit<Use, 'requests'>

/** Work that has begun. */
export interface BegunWork {
  /** Undefined if the request is not traced. */
  readonly trace: WorkTrace | undefined
  /** Counts the time of swarm servers at once, so that the next request sees it. */
  useSwarm(ms: number): void
  /** Call this once, whatever happened. `cost` is the whole cost, with that of the swarm; `error`: why the work failed. */
  end(cost: WorkCost, error?: unknown): Promise<void>
}

export interface AllowanceOptions {
  readonly quota: Quota
  readonly windows: AccountWindows
  /** Counts the answers of this account that run now. */
  readonly running: RunningAnswers
  /** Undefined if the request is not traced. */
  readonly trace: RequestTrace | undefined
  readonly onRefused: (limit: string) => void
  readonly onUsed: (model: string, use: Use) => void
}

/** Answers that run now, by account. */
export class RunningAnswers {
  readonly #counts = new Map<string, number>()

  of(account: string): number {
    return this.#counts.get(account) ?? 0
  }

  change(account: string, by: 1 | -1): void {
    const count = this.of(account) + by
    if (count === 0) this.#counts.delete(account)
    else this.#counts.set(account, count)
  }
}

/** What one request may use. Every route that runs a model asks it, through the session pool. */
export class Allowance {
  readonly #options: AllowanceOptions
  /** 0 once the request counts in what was used. */
  #requests: 0 | 1 = 1

  constructor(options: AllowanceOptions) {
    this.#options = options
  }

  get quota(): Quota {
    return this.#options.quota
  }

  /**
   * Counts the request. Refuses it also if no token is left, before its body is read.
   * @throws RateLimitError
   */
  async countRequest(): Promise<void> {
    const { requests, tokens, tokensOfDay, swarmOfDay } = this.#options.windows
    if (requests !== undefined && (await requests.add(1)) >= requests.limit)
      throw this.#refusal('requestsPerMinute', requests, 'requests in a minute')
    if (tokens !== undefined && (await tokens.look()) === 0)
      throw this.#refusal('tokensPerMinute', tokens, 'tokens in a minute')
    if (tokensOfDay !== undefined && (await tokensOfDay.look()) === 0)
      throw this.#refusal('tokensPerDay', tokensOfDay, 'tokens in a day')
    await swarmOfDay?.look()
  }

  /**
   * Counts in advance what the work may use.
   * @throws RateLimitError
   */
  async begin(work: PlannedWork): Promise<BegunWork> {
    const { quota, running } = this.#options
    const { parallelAnswers = Infinity } = quota.limits
    if (!work.isContinued && running.of(quota.account) >= parallelAnswers)
      throw this.#tooMany(parallelAnswers)
    running.change(quota.account, 1)
    try {
      if (work.engine === 'petals' && !work.isContinued) await this.#checkSwarm()
      return this.#work(work, await this.#reserve(work))
    } catch (error) {
      running.change(quota.account, -1)
      throw error
    }
  }

  /**
   * Refuses a request whose prompts together are longer than what is left, before any of them runs.
   * @throws RateLimitError; ContextLengthError if they are longer than the whole limit
   */
  async checkPrompts(tokens: number): Promise<void> {
    const { tokens: minute, tokensOfDay: day } = this.#options.windows
    for (const [window, limit, unit] of [
      [minute, 'tokensPerMinute', 'tokens in a minute'],
      [day, 'tokensPerDay', 'tokens in a day'],
    ] as const) {
      if (window === undefined) continue
      if (tokens > window.limit) throw this.#tooLong(tokens, window.limit, unit)
      if ((await window.look()) < tokens) throw this.#refusal(limit, window, unit)
    }
  }

  /** The headers of the response, as far as limits apply. */
  headers(): Readonly<Record<string, string>> {
    const { requests, tokens, tokensOfDay } = this.#options.windows
    return rateLimitHeaders(requests, tightest(tokens, tokensOfDay))
  }

  async #reserve(work: PlannedWork): Promise<readonly Reservation[]> {
    const { tokens, tokensOfDay } = this.#options.windows
    const perMinute = await this.#reserveIn(tokens, work, 'tokensPerMinute', 'tokens in a minute')
    try {
      const perDay = await this.#reserveIn(tokensOfDay, work, 'tokensPerDay', 'tokens in a day')
      return [...perMinute, ...perDay]
    } catch (error) {
      for (const reservation of perMinute) await settle(reservation, 0)
      throw error
    }
  }

  async #reserveIn(
    window: AccountWindow | undefined,
    { promptTokens, maxNewTokens, isContinued }: PlannedWork,
    limit: string,
    unit: string,
  ): Promise<readonly Reservation[]> {
    if (window === undefined) return []
    const needed = isContinued ? -Infinity : Math.max(promptTokens, 1)
    const reservation = await window.reserve(promptTokens + maxNewTokens, needed)
    if (reservation === undefined) throw this.#refusal(limit, window, unit)
    return [reservation]
  }

  #work({ model, engine, maxNewTokens }: PlannedWork, reservations: readonly Reservation[]): BegunWork {
    const { quota, running, windows, onUsed } = this.#options
    const trace = this.#options.trace?.startWork({ model, engine, maxNewTokens })
    let swarmMs = 0
    return {
      trace,
      useSwarm: (ms) => {
        swarmMs += Math.round(ms)
        void windows.swarmOfDay?.add(Math.round(ms))
      },
      end: async (cost, error) => {
        trace?.end({ ...cost, error })
        running.change(quota.account, -1)
        if (cost.promptTokens + cost.completionTokens > 0) {
          onUsed(model, { ...cost, requests: this.#requests })
          this.#requests = 0
        }
        const used = cost.promptTokens + cost.completionTokens
        await Promise.all(reservations.map((reservation) => settle(reservation, used)))
        const rest = Math.round(cost.swarmMs) - swarmMs
        if (rest !== 0) await windows.swarmOfDay?.add(rest)
      },
    }
  }

  async #checkSwarm(): Promise<void> {
    const { swarmOfDay } = this.#options.windows
    if (swarmOfDay === undefined || (await swarmOfDay.look()) > 0) return
    const seconds = swarmOfDay.limit / 1000
    throw this.#refused(
      'swarmSecondsPerDay',
      swarmOfDay.resetMs,
      `${seconds} seconds of swarm servers in a day`,
    )
  }

  #refusal(limit: string, window: AccountWindow, unit: string): RateLimitError {
    return this.#refused(limit, window.resetMs, `${window.limit} ${unit}`)
  }

  #refused(limit: string, retryAfterMs: number, allowed: string): RateLimitError {
    this.#options.onRefused(limit)
    const wait = Math.max(retryAfterMs, 1)
    return new RateLimitError(
      `${this.quota.title} may use at most ${allowed} (${limit}), and has used them. ` +
        `Try again in ${shortDuration(Math.max(wait, 1000))}.`,
      wait,
    )
  }

  #tooMany(parallelAnswers: number): RateLimitError {
    this.#options.onRefused('parallelAnswers')
    return new RateLimitError(
      `${this.quota.title} may run at most ${parallelAnswers} answers at the same time (parallelAnswers), and as many ` +
        'run now. Try again when one of them has ended.',
      1_000,
    )
  }

  #tooLong(promptTokens: number, limit: number, unit: string): ContextLengthError {
    return new ContextLengthError(
      promptTokens,
      limit,
      `${this.quota.title} may use at most ${limit} ${unit}, and your prompt alone has ${promptTokens}. Please shorten it.`,
    )
  }
}

/** The limit of which the least is left. */
function tightest(...windows: readonly (AccountWindow | undefined)[]): DescribedLimit | undefined {
  return windows
    .filter((window) => window !== undefined)
    .reduce<AccountWindow | undefined>(
      (least, window) => (least === undefined || window.remaining < least.remaining ? window : least),
      undefined,
    )
}
