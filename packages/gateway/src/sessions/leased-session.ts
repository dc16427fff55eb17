import {
  type GenerateOptions,
  type GeneratedToken,
  type Logger,
  type Session,
  type TokenId,
  ContextLengthError,
  forwardSession,
  InvalidRequestError,
} from '@petals-chat/engine'
import { logRoute } from '../swarm/route-log.ts'
import { tapped } from '../tapped.ts'
import type { GenerationMetrics } from './generation-metrics.ts'

/** What the pool may do with a session that comes back. */
export type SessionHealth = 'reusable' | 'suspect' | 'failed'

/**
 * A session that is lent to one holder. `session` works until the lease ends; what is generated on it is measured; its
 * faults tell whether the pool may lend the session again.
 */
export class LeasedSession {
  readonly session: Session
  readonly #inner: Session
  readonly #metrics: GenerationMetrics
  readonly #logger: Logger
  #calls = 0
  #ended = false
  #failed = false
  #disposed = false

  constructor(inner: Session, metrics: GenerationMetrics, logger: Logger) {
    this.#inner = inner
    this.#metrics = metrics
    this.#logger = logger
    const { score } = inner
    this.session = forwardSession(inner, {
      generate: (tokens, options) => this.#generate(tokens, options),
      truncate: (length, options) => this.#watch(() => inner.truncate(length, options), options?.signal),
      ...(score && {
        score: (tokens, options) =>
          this.#measure(tokens.length, () =>
            this.#watch(() => score.call(inner, tokens, options), options?.signal),
          ),
      }),
      // The holder wants the session closed, not kept.
      [Symbol.asyncDispose]: async () => {
        this.#disposed = true
        await inner[Symbol.asyncDispose]()
      },
    })
  }

  /** Ends the lease. `failed`: something beyond this session may be broken; `suspect`: only this session is unfit. */
  end(): SessionHealth {
    this.#ended = true
    if (this.#failed) return 'failed'
    return this.#calls > 0 || this.#disposed ? 'suspect' : 'reusable'
  }

  #generate(tokens: readonly TokenId[], options: GenerateOptions): AsyncIterable<GeneratedToken> {
    return tapped(() => {
      this.#assertLeased()
      const measurement = this.#metrics.start(tokens.length, this.#inner.tokens.length)
      this.#calls += 1
      return {
        events: this.#inner.generate(tokens, options),
        see: () => measurement.onToken(),
        failed: (error) => this.#note(error, options.signal),
        ended: () => {
          this.#calls -= 1
          measurement.end()
          const route = this.#inner.route?.()
          if (route !== undefined) logRoute(this.#logger, route)
        },
      }
    })
  }

  async #measure<Result>(tokens: number, work: () => Promise<Result>): Promise<Result> {
    this.#assertLeased()
    const measurement = this.#metrics.start(tokens, this.#inner.tokens.length)
    try {
      return await work()
    } finally {
      measurement.end()
    }
  }

  async #watch<Result>(work: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    this.#assertLeased()
    this.#calls += 1
    try {
      return await work()
    } catch (error) {
      this.#note(error, signal)
      throw error
    } finally {
      this.#calls -= 1
    }
  }

  /**
   * A call that was refused before any work or stopped on request is harmless: the session may be lent again, though a swarm
   * may have to run its tokens again.
   */
  #note(error: unknown, signal: AbortSignal | undefined): void {
    const harmless =
      signal?.aborted === true || error instanceof ContextLengthError || error instanceof InvalidRequestError
    if (!harmless) this.#failed = true
  }

  #assertLeased(): void {
    if (this.#ended) throw new Error('This session went back to the pool: its lease has ended.')
  }
}
