import type {
  AbortOptions,
  GenerateOptions,
  GeneratedToken,
  Logger,
  RouteReport,
  ScoreOptions,
  Session,
  TokenId,
  TokenScore,
} from '@petals-chat/engine'
import { ContextLengthError, InvalidRequestError } from '@petals-chat/engine'
import { logRoute } from '../swarm/route-log.ts'
import type { GenerationMetrics } from './generation-metrics.ts'

/** What the pool may do with a session that comes back. */
export type SessionHealth = 'reusable' | 'suspect' | 'failed'

/**
 * A session as its holder sees it: works until the lease ends, measures what is generated on it, and notices whether
 * the pool may lend the session again.
 */
export class LeasedSession implements Session {
  readonly score?: NonNullable<Session['score']>
  readonly route?: () => RouteReport
  readonly #session: Session
  readonly #metrics: GenerationMetrics
  readonly #logger: Logger
  #calls = 0
  #ended = false
  #failed = false
  #disposed = false

  constructor(session: Session, metrics: GenerationMetrics, logger: Logger) {
    this.#session = session
    this.#metrics = metrics
    this.#logger = logger
    if (session.score !== undefined) this.score = (tokens, options) => this.#score(tokens, options)
    if (session.route !== undefined) this.route = () => session.route!()
  }

  get maxLength(): number {
    return this.#session.maxLength
  }

  get tokens(): readonly TokenId[] {
    return this.#session.tokens
  }

  async *generate(tokens: readonly TokenId[], options: GenerateOptions): AsyncGenerator<GeneratedToken> {
    this.#assertLeased()
    const measurement = this.#metrics.start(tokens.length, this.#session.tokens.length)
    this.#calls += 1
    try {
      for await (const token of this.#session.generate(tokens, options)) {
        measurement.onToken()
        yield token
      }
    } catch (error) {
      this.#note(error, options.signal)
      throw error
    } finally {
      this.#calls -= 1
      measurement.end()
      if (this.route !== undefined) logRoute(this.#logger, this.route())
    }
  }

  async truncate(length: number, options?: AbortOptions): Promise<void> {
    this.#assertLeased()
    await this.#watch(this.#session.truncate(length, options), options?.signal)
  }

  /** The holder wants the session closed, not kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    await this.#session[Symbol.asyncDispose]()
  }

  /** Ends the lease. `failed`: something beyond this session may be broken; `suspect`: only this session is unfit. */
  end(): SessionHealth {
    this.#ended = true
    if (this.#failed) return 'failed'
    return this.#calls > 0 || this.#disposed ? 'suspect' : 'reusable'
  }

  async #score(tokens: readonly TokenId[], options?: ScoreOptions): Promise<readonly TokenScore[]> {
    this.#assertLeased()
    const measurement = this.#metrics.start(tokens.length, this.#session.tokens.length)
    try {
      return await this.#watch(this.#session.score!(tokens, options), options?.signal)
    } finally {
      measurement.end()
    }
  }

  async #watch<Result>(work: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    this.#calls += 1
    try {
      return await work
    } catch (error) {
      this.#note(error, signal)
      throw error
    } finally {
      this.#calls -= 1
    }
  }

  /** Refused before any work, or stopped on request: the KV cache is as good as before. */
  #note(error: unknown, signal: AbortSignal | undefined): void {
    const harmless =
      signal?.aborted === true || error instanceof ContextLengthError || error instanceof InvalidRequestError
    if (!harmless) this.#failed = true
  }

  #assertLeased(): void {
    if (this.#ended) throw new Error('This session went back to the pool: its lease has ended.')
  }
}
