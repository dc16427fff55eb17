import { ContextLengthError, InvalidRequestError } from '@petals-chat/engine'
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
}

/** What all parts of a request may use, in tokens. */
export interface RequestTokens {
  /** All prompts together. */
  readonly prompts: number
  /** The greatest lengths of all answers together. */
  readonly answers: number
  /** The greatest length of the longest answer. */
  readonly longestAnswer: number
}

/** A request that runs. */
interface OpenRequest {
  readonly reservations: readonly Reservation[]
  /** Tokens of the parts that have ended. */
  used: number
  hasBegun: boolean
}

const sizeOf = ({ promptTokens, maxNewTokens }: PlannedWork): RequestTokens => ({
  prompts: promptTokens,
  answers: maxNewTokens,
  longestAnswer: maxNewTokens,
})

/** What must be left for a request to begin: only one answer may go beyond the limit, by its own length. */
const neededOf = ({ prompts, answers, longestAnswer }: RequestTokens): number =>
  Math.max(prompts + answers - longestAnswer, 1)

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
  #opened: OpenRequest | undefined

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
   * Counts in advance what all parts of a request may use together, and the request as one that runs, until the result is
   * disposed. Its parts are not refused any more.
   * @throws RateLimitError; ContextLengthError or InvalidRequestError if the request needs more than a whole limit
   */
  async openRequest(size: RequestTokens): Promise<AsyncDisposable> {
    const { quota, running } = this.#options
    const { parallelAnswers = Infinity } = quota.limits
    if (running.of(quota.account) >= parallelAnswers) throw this.#tooMany(parallelAnswers)
    running.change(quota.account, 1)
    try {
      const opened: OpenRequest = { reservations: await this.#reserve(size), used: 0, hasBegun: false }
      this.#opened = opened
      return { [Symbol.asyncDispose]: () => this.#closeRequest(opened) }
    } catch (error) {
      running.change(quota.account, -1)
      throw error
    }
  }

  /**
   * Begins a part of the request that was opened. Without one, the work is a request of its own.
   * @throws RateLimitError
   */
  async begin(work: PlannedWork): Promise<BegunWork> {
    const own = this.#opened === undefined ? await this.openRequest(sizeOf(work)) : undefined
    const opened = this.#opened!
    try {
      if (work.engine === 'petals' && !opened.hasBegun) await this.#checkSwarm()
      opened.hasBegun = true
      return this.#work(work, opened, own)
    } catch (error) {
      await own?.[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The headers of the response, as far as limits apply. */
  headers(): Readonly<Record<string, string>> {
    const { requests, tokens, tokensOfDay } = this.#options.windows
    return rateLimitHeaders(requests, tightest(tokens, tokensOfDay))
  }

  async #closeRequest(opened: OpenRequest): Promise<void> {
    const { quota, running } = this.#options
    if (this.#opened === opened) this.#opened = undefined
    running.change(quota.account, -1)
    await Promise.all(opened.reservations.map((reservation) => settle(reservation, opened.used)))
  }

  async #reserve(size: RequestTokens): Promise<readonly Reservation[]> {
    const { tokens, tokensOfDay } = this.#options.windows
    const limits = [
      [tokens, 'tokensPerMinute', 'tokens in a minute'],
      [tokensOfDay, 'tokensPerDay', 'tokens in a day'],
    ] as const
    for (const [window, , unit] of limits) if (window !== undefined) this.#assertMayFit(size, window, unit)
    const reservations: Reservation[] = []
    for (const [window, limit, unit] of limits) {
      if (window === undefined) continue
      const reservation = await window.reserve(size.prompts + size.answers, neededOf(size))
      if (reservation !== undefined) {
        reservations.push(reservation)
        continue
      }
      for (const made of reservations) await settle(made, 0)
      throw this.#refusal(limit, window, unit)
    }
    return reservations
  }

  #work(
    { model, engine, maxNewTokens }: PlannedWork,
    opened: OpenRequest,
    own: AsyncDisposable | undefined,
  ): BegunWork {
    const { windows, onUsed } = this.#options
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
        const used = cost.promptTokens + cost.completionTokens
        if (used > 0) {
          onUsed(model, { ...cost, requests: this.#requests })
          this.#requests = 0
        }
        opened.used += used
        await own?.[Symbol.asyncDispose]()
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

  /** @throws ContextLengthError, InvalidRequestError */
  #assertMayFit(size: RequestTokens, { limit }: AccountWindow, unit: string): void {
    const allowed = `${this.quota.title} may use at most ${limit} ${unit}`
    if (size.prompts > limit)
      throw new ContextLengthError(
        size.prompts,
        limit,
        `${allowed}, and your prompt alone has ${size.prompts}. Please shorten it.`,
      )
    if (neededOf(size) <= limit) return
    throw new InvalidRequestError(
      `${allowed}, and the answers to your request may have ${size.answers} together. ` +
        "Lower 'max_tokens', or ask for fewer answers at once ('n', or the number of prompts).",
      { param: 'max_tokens', reason: 'invalid_value' },
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
