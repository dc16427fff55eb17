import {
  type Logger,
  type Model,
  type PlannedSession,
  type Session,
  type TokenId,
  CapacityError,
  commonPrefixLength,
  ContextLengthError,
} from '@petals-chat/engine'
import type { SessionPoolConfig } from '../config.ts'
import type {
  AcquireRequest,
  Claim,
  EmbeddingModel,
  ModelWork,
  PrewarmRequest,
  SessionLease,
} from '../context.ts'
import { AdmissionQueue } from './admission-queue.ts'
import type { GenerationMetrics } from './generation-metrics.ts'
import { IdleSessions } from './idle-sessions.ts'
import { LeasedSession } from './leased-session.ts'
import { UnreadLeases } from './unread-leases.ts'

/** How often is looked for room while requests wait for it. */
const ROOM_INTERVAL_MS = 2_000

export interface ModelSessionsOptions {
  readonly config: SessionPoolConfig
  readonly logger: Logger
  readonly generationMetrics: GenerationMetrics
  /** Called whenever a number below has changed. */
  readonly onChange: () => void
}

/** The sessions of one model: leased, idle, or requested. */
export class ModelSessions {
  readonly #model: Model
  readonly #options: ModelSessionsOptions
  readonly #queue: AdmissionQueue
  /** Turns for work without a session. */
  readonly #turns: AdmissionQueue
  readonly #unread: UnreadLeases
  readonly #idle: IdleSessions
  readonly #closing = new Set<Promise<void>>()
  #closed = false
  /** Leases that are out: permits without one are of requests whose session is not open yet. */
  #leases = 0
  #isWatching = false
  /** Requests that are not admitted yet. */
  readonly #waiting = new Set<AcquireRequest>()

  constructor(model: Model, options: ModelSessionsOptions) {
    const { config } = options
    this.#model = model
    this.#options = options
    this.#queue = new AdmissionQueue({
      ...config,
      maxPermits: Math.min(model.maxSessions ?? Infinity, config.maxPerModel),
    })
    this.#turns = new AdmissionQueue({ ...config, maxPermits: 1 })
    this.#unread = new UnreadLeases({ graceMs: config.unreadGraceMs, waiting: () => this.waiting })
    this.#idle = new IdleSessions({
      timeoutMs: config.idleTimeoutMs,
      shareCaches: config.shareCaches,
      onExpire: (session) => this.#discard(session),
    })
  }

  get leased(): number {
    return this.#queue.active
  }

  get idle(): number {
    return this.#idle.size
  }

  get waiting(): number {
    return this.#queue.waiting
  }

  /** No session is open, requested or being closed. */
  get isEmpty(): boolean {
    const { active, waiting } = this.#turns
    return this.leased + this.idle + this.waiting + this.#closing.size + active + waiting === 0
  }

  async acquire(request: AcquireRequest): Promise<SessionLease> {
    const startedAt = performance.now()
    try {
      if (request.maxLength > this.#model.contextLength) {
        throw new ContextLengthError(request.maxLength, this.#model.contextLength)
      }
      await this.#admission(request)
      const session = await this.#prepareAdmitted(request)
      return this.#lease(session, request, performance.now() - startedAt)
    } finally {
      this.#options.onChange()
    }
  }

  async #admission(request: AcquireRequest): Promise<void> {
    this.#waiting.add(request)
    try {
      const admission = this.#queue.enter(request, { hasRoom: () => this.#hasRoom(request, 1) })
      void this.#watchRoom()
      this.#options.onChange()
      this.#unread.makeWay()
      await admission
    } finally {
      this.#waiting.delete(request)
    }
  }

  /** @throws CapacityError if the claim would be refused at once. */
  assertRoom(claim: Claim, work: ModelWork): void {
    const queue = work === 'answer' ? this.#queue : this.#turns
    queue.assertRoom(claim)
  }

  async embed(model: EmbeddingModel, tokens: readonly TokenId[], claim: Claim): Promise<Float32Array> {
    await this.#turns.enter(claim)
    const startedAt = performance.now()
    try {
      return await model.embed(tokens, { signal: claim.signal })
    } finally {
      this.#turns.leave(performance.now() - startedAt, claim)
      this.#options.onChange()
    }
  }

  /**
   * Does nothing for a model with a limit on sessions, or without room: the prompt may never come, and other clients may need the
   * session.
   */
  async prewarm(request: PrewarmRequest): Promise<void> {
    const { room, maxSessions } = this.#model
    const isFull = this.leased + this.idle >= this.#options.config.maxPerModel
    if (this.#closed || isFull || maxSessions !== undefined || this.waiting > 0) return
    if (room?.has({ promptLength: 0, maxLength: this.#lengthFor(request.maxLength) }, 1) === false) return
    try {
      const session = await this.#open(request)
      if (session.prewarm === undefined || this.#closed) return await this.#discard(session)
      this.#idle.add(session, request)
      this.#options.onChange()
      await session.prewarm()
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'a session could not be prewarmed')
    }
  }

  async closeOwned(owner: object): Promise<void> {
    await Promise.all(this.#idle.takeOwned(owner).map((session) => this.#discard(session)))
  }

  /** Closes all idle sessions, and keeps none from now on. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#closeIdle()
  }

  async #closeIdle(): Promise<void> {
    await Promise.all(this.#idle.takeAll().map((session) => this.#discard(session)))
  }

  /**
   * Reports whether there is room for `more` sessions like this one beside those that were admitted and are not open yet. Each
   * idle session can make room for one.
   */
  #hasRoom(request: AcquireRequest, more: number): boolean {
    const { room } = this.#model
    if (room === undefined) return true
    const unopened = this.#queue.active - this.#leases
    return room.has(this.#planned(request), unopened + more - (more > 0 ? this.#idle.size : 0))
  }

  #planned({ tokens, maxLength }: AcquireRequest): PlannedSession {
    return { promptLength: tokens.length, maxLength: this.#lengthFor(maxLength) }
  }

  /** Looks for room again and again, while requests wait for it. */
  async #watchRoom(): Promise<void> {
    const { room } = this.#model
    if (room === undefined || this.#isWatching) return
    this.#isWatching = true
    while (this.waiting > 0 && !this.#closed) {
      if (this.#queue.lacksRoom) await room.look(this.#longestPlanned())
      this.#queue.roomChanged()
      this.#options.onChange()
      if (this.waiting > 0) await new Promise((resolve) => setTimeout(resolve, ROOM_INTERVAL_MS).unref())
    }
    this.#isWatching = false
  }

  /** Where there is room for it, there is room for each of the sessions that requests wait for. */
  #longestPlanned(): PlannedSession {
    const planned = [...this.#waiting].map((request) => this.#planned(request))
    return {
      promptLength: Math.max(...planned.map(({ promptLength }) => promptLength)),
      maxLength: Math.max(...planned.map(({ maxLength }) => maxLength)),
    }
  }

  /** Opens a session for an admitted request. Returns the permit if that fails. */
  async #prepareAdmitted(request: AcquireRequest): Promise<Session> {
    const admittedAt = performance.now()
    let holdsPermit = true
    try {
      while (true) {
        try {
          return await this.#prepare(request)
        } catch (error) {
          // Without another holder, no permit will be returned: sessions outside this pool fill the engine.
          if (!(error instanceof CapacityError) || this.#queue.active === 1) throw error
          holdsPermit = false
          await this.#queue.shrink(request)
          holdsPermit = true
        }
      }
    } catch (error) {
      if (holdsPermit) this.#queue.leave(performance.now() - admittedAt, request)
      throw error
    }
  }

  /** Returns an idle session that holds much of the prompt, or a new one; if the engine is full, closes idle ones for it. */
  async #prepare(request: AcquireRequest): Promise<Session> {
    const best = this.#idle.takeBest(request.tokens, request)
    if (best !== undefined) {
      const reused = await this.#reuse(best, request)
      if (reused !== undefined) return reused
    }
    // Idle sessions may take the room that is missing. What is known may be old: it is looked before any of them is closed.
    if (this.#idle.size > 0 && !this.#hasRoom(request, 0))
      await this.#model.room?.look(this.#planned(request), { signal: request.signal })
    while (!this.#hasRoom(request, 0) && (await this.#makeRoom()));
    while (true) {
      try {
        return await this.#open(request)
      } catch (error) {
        if (!(error instanceof CapacityError) || !(await this.#makeRoom())) throw error
      }
    }
  }

  /**
   * Waits for sessions that are being closed; without any, closes those that were idle longest. Returns false if there is none.
   * @param count how many to close: one where an engine counts sessions, more where each attempt to find room takes time
   */
  async #makeRoom(count = 1): Promise<boolean> {
    if (this.#closing.size === 0) {
      const oldest = Array.from({ length: count }, () => this.#idle.takeOldest())
      for (const session of oldest) if (session) void this.#discard(session)
    }
    const closing = [...this.#closing]
    await Promise.all(closing)
    return closing.length > 0
  }

  /** Truncates `session` to the prefix that it shares with the prompt; closes it if it is too short or truncating fails. */
  async #reuse(
    session: Session,
    { tokens, maxLength, signal }: AcquireRequest,
  ): Promise<Session | undefined> {
    if (session.maxLength >= maxLength) {
      try {
        // A prefill needs at least one token: never all of the prompt.
        const shared = Math.min(commonPrefixLength(session.tokens, tokens), Math.max(tokens.length - 1, 0))
        if (shared < session.tokens.length) await session.truncate(shared, { signal })
        return session
      } catch (error) {
        this.#options.logger.debug({ err: error }, 'an idle session could not be truncated')
      }
    }
    await this.#discard(session)
    signal?.throwIfAborted()
    return undefined
  }

  #open({
    maxLength,
    signal,
    logger,
  }: Pick<AcquireRequest, 'maxLength' | 'signal' | 'logger'>): Promise<Session> {
    return this.#model.openSession({
      maxLength: this.#lengthFor(maxLength),
      signal,
      makeRoom: () => this.#makeRoom(Math.ceil(this.#idle.size / 4)),
      ...(logger !== undefined && { logger }),
    })
  }

  #lengthFor(maxLength: number): number {
    return sessionLength(maxLength, this.#options.config.minLength, this.#model.contextLength)
  }

  #lease(session: Session, request: AcquireRequest, queuedMs: number): SessionLease {
    const leasedAt = performance.now()
    this.#leases += 1
    const leasedLogger = request.logger?.child({ model: this.#model.id }) ?? this.#options.logger
    const leased = new LeasedSession(session, this.#options.generationMetrics, leasedLogger)
    const queue = this.#queue
    const unread = request.reader && this.#unread.add(request.reader)
    let returned: Promise<void> | undefined
    return {
      session: leased.session,
      queuedMs,
      get isWanted() {
        return queue.waiting > 0
      },
      [Symbol.asyncDispose]: () => {
        unread?.[Symbol.dispose]()
        return (returned ??= this.#takeBack(session, leased, request, leasedAt))
      },
    }
  }

  async #takeBack(
    session: Session,
    leased: LeasedSession,
    request: AcquireRequest,
    leasedAt: number,
  ): Promise<void> {
    const health = leased.end()
    try {
      // After a fault such as a crash of the engine, the model's idle sessions may have lost their content as well.
      if (health === 'failed') await this.#closeIdle()
      if (health === 'reusable' && session.tokens.length > 0 && !this.#closed) {
        this.#idle.add(session, request)
        await this.#keepIdleSmall()
      } else await this.#discard(session)
    } finally {
      this.#leases -= 1
      this.#queue.leave(performance.now() - leasedAt, request)
      this.#options.onChange()
    }
  }

  async #keepIdleSmall(): Promise<void> {
    while (this.#idle.memoryBytes > this.#options.config.maxIdleBytes) {
      const oldest = this.#idle.takeOldest()
      if (oldest === undefined) return
      await this.#discard(oldest)
    }
  }

  async #discard(session: Session): Promise<void> {
    const closing = this.#close(session)
    this.#closing.add(closing)
    await closing
    this.#closing.delete(closing)
    this.#options.onChange()
  }

  async #close(session: Session): Promise<void> {
    try {
      await session[Symbol.asyncDispose]()
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'a session could not be closed')
    }
  }
}

/** Grows by doubling, so that a growing dialogue rarely has to be run again from its start. */
function sessionLength(maxLength: number, minLength: number, contextLength: number): number {
  const doubled = 2 ** Math.ceil(Math.log2(Math.max(maxLength, minLength)))
  return Math.min(doubled, contextLength)
}
