import {
  type GeneratedToken,
  type GenerateOptions,
  forwardSession,
  type Model,
  type RemoteModel,
  type Session,
  type SwarmWait,
  type TokenId,
} from '@petals-chat/engine'
import type { SessionPool } from '../context.ts'
import type { BegunWork, WorkCost } from './allowance.ts'
import { tapped } from '../tapped.ts'
import { RemoteMeter } from './remote-meter.ts'

/** The time of swarm servers is counted this often while an answer runs. */
const SWARM_COUNT_MS = 1_000

/**
 * A session pool in which every piece of work is allowed by the allowance of its request, and counted when it ends. Work
 * without an allowance is the gateway's own.
 */
export function meteredSessions(
  pool: SessionPool,
  engineOf: (model: Model | RemoteModel) => string,
): SessionPool {
  /** A prompt that runs in several leases counts with its first one. */
  const countedPrompts = new WeakSet<readonly TokenId[]>()
  return {
    ...pool,
    async acquire(model, request) {
      const { allowance, tokens, maxLength } = request
      if (allowance === undefined) return pool.acquire(model, request)
      const isCounted = countedPrompts.has(tokens)
      const work = await allowance.begin({
        model: model.id,
        engine: engineOf(model),
        promptTokens: isCounted ? 0 : tokens.length,
        maxNewTokens: Math.max(maxLength - tokens.length, 0),
      })
      const meter = new SessionMeter(work, { isCounted, onPrompt: () => countedPrompts.add(tokens) })
      try {
        const lease = await pool.acquire(model, request)
        return {
          ...lease,
          session: meter.measured(lease.session),
          get isWanted() {
            return lease.isWanted
          },
          [Symbol.asyncDispose]: () => endBoth(lease, meter),
        }
      } catch (error) {
        meter.failed(error)
        await meter.end()
        throw error
      }
    },
    async enter(model, request) {
      const { allowance, promptTokens, maxNewTokens } = request
      if (allowance === undefined) return pool.enter(model, request)
      const planned = { model: model.id, engine: engineOf(model), promptTokens, maxNewTokens }
      const meter = new RemoteMeter(await allowance.begin(planned), promptTokens)
      try {
        const turn = await pool.enter(model, request)
        return {
          ...turn,
          watched: (events) => meter.measured(turn.watched(events)),
          [Symbol.asyncDispose]: () => endBoth(turn, meter),
        }
      } catch (error) {
        meter.failed(error)
        await meter.end()
        throw error
      }
    },
    async embed(model, tokens, claim) {
      const { allowance } = claim
      if (allowance === undefined) return pool.embed(model, tokens, claim)
      const { length } = tokens
      const work = await allowance.begin({
        model: model.id,
        engine: engineOf(model),
        promptTokens: length,
        maxNewTokens: 0,
      })
      let promptTokens = 0
      try {
        const vector = await pool.embed(model, tokens, claim)
        promptTokens = length
        return vector
      } finally {
        await work.end({ promptTokens, cachedTokens: 0, completionTokens: 0, swarmMs: 0 })
      }
    },
    async embedRemotely(model, request, turn) {
      const { allowance, promptTokens } = turn
      if (allowance === undefined) return pool.embedRemotely(model, request, turn)
      const planned = { model: model.id, engine: engineOf(model), promptTokens, maxNewTokens: 0 }
      const meter = new RemoteMeter(await allowance.begin(planned), promptTokens)
      try {
        const embeddings = await pool.embedRemotely(model, request, turn)
        meter.counted({ ...embeddings.usage, cachedTokens: 0, completionTokens: 0 })
        return embeddings
      } catch (error) {
        meter.failed(error)
        throw error
      } finally {
        await meter.end()
      }
    },
  }
}

interface MeterOptions {
  /** The prompt was counted with an earlier lease. */
  readonly isCounted: boolean
  /** Called when the prompt is counted. */
  readonly onPrompt: () => void
}

/** Measures what runs on one lease. */
class SessionMeter {
  readonly #work: BegunWork
  readonly #onPrompt: () => void
  #isPromptCounted: boolean
  #promptTokens = 0
  #cachedTokens = 0
  #completionTokens = 0
  #swarmMs = 0
  #swarmCounted = 0
  #error: unknown
  #ended: Promise<void> | undefined

  constructor(work: BegunWork, { isCounted, onPrompt }: MeterOptions) {
    this.#work = work
    this.#onPrompt = onPrompt
    this.#isPromptCounted = isCounted
  }

  measured(session: Session): Session {
    const { score } = session
    return forwardSession(session, {
      generate: (tokens, options) => this.#generate(session, tokens, options),
      ...(score && {
        score: (tokens, options) => {
          this.#countPrompt(session, tokens)
          return this.#timed(session, () => score.call(session, tokens, options))
        },
      }),
    })
  }

  /** Remembers why the work failed. */
  failed(error: unknown): void {
    this.#error = error
  }

  end(): Promise<void> {
    return (this.#ended ??= this.#work.end(this.#cost, this.#error))
  }

  get #cost(): WorkCost {
    return {
      promptTokens: this.#promptTokens,
      cachedTokens: this.#cachedTokens,
      completionTokens: this.#completionTokens,
      swarmMs: this.#swarmMs,
    }
  }

  /** The prompt counts once, with whatever runs it first. */
  #countPrompt(session: Session, tokens: readonly TokenId[]): void {
    if (this.#isPromptCounted) return
    this.#isPromptCounted = true
    this.#onPrompt()
    this.#cachedTokens = session.tokens.length
    this.#promptTokens = session.tokens.length + tokens.length
  }

  #generate(
    session: Session,
    tokens: readonly TokenId[],
    options: GenerateOptions,
  ): AsyncIterable<GeneratedToken> {
    return tapped(() => {
      this.#countPrompt(session, tokens)
      const clock = new SwarmClock(session.route !== undefined, (ms) => this.#countSwarm(ms))
      this.#work.trace?.sampled(options.sampling)
      return {
        events: session.generate(tokens, { ...options, onWait: clock.watch(options.onWait) }),
        asked: () => clock.start(),
        see: () => {
          clock.stop()
          if (this.#completionTokens === 0) this.#work.trace?.firstToken()
          this.#completionTokens += 1
        },
        failed: (error) => this.failed(error),
        ended: () => clock.stop(),
      }
    })
  }

  async #timed<Result>(session: Session, run: () => Promise<Result>): Promise<Result> {
    const clock = new SwarmClock(session.route !== undefined, (ms) => this.#countSwarm(ms))
    try {
      return await run()
    } finally {
      clock.stop()
    }
  }

  #countSwarm(ms: number): void {
    this.#swarmMs += ms
    const uncounted = this.#swarmMs - this.#swarmCounted
    if (uncounted < SWARM_COUNT_MS) return
    this.#swarmCounted = this.#swarmMs
    this.#work.useSwarm(uncounted)
  }
}

/** Measures the time in which a swarm works on an answer: neither its reader's time, nor that of waits for missing servers. */
class SwarmClock {
  readonly #onTime: (ms: number) => void
  readonly #isSwarm: boolean
  #startedAt: number | undefined
  #isWaiting = false

  constructor(isSwarm: boolean, onTime: (ms: number) => void) {
    this.#isSwarm = isSwarm
    this.#onTime = onTime
    this.start()
  }

  start(): void {
    if (this.#isSwarm && !this.#isWaiting) this.#startedAt = performance.now()
  }

  stop(): void {
    if (this.#startedAt === undefined) return
    this.#onTime(performance.now() - this.#startedAt)
    this.#startedAt = undefined
  }

  watch(onWait: GenerateOptions['onWait']): GenerateOptions['onWait'] {
    if (!this.#isSwarm) return onWait
    return (wait: SwarmWait | undefined) => {
      this.stop()
      this.#isWaiting = wait !== undefined
      this.start()
      onWait?.(wait)
    }
  }
}

/** Ends the meter after what it measured, even if that fails to end. */
async function endBoth(
  measured: AsyncDisposable,
  meter: { readonly end: () => Promise<void> },
): Promise<void> {
  try {
    await measured[Symbol.asyncDispose]()
  } finally {
    await meter.end()
  }
}
