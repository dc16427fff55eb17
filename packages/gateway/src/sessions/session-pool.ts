import type { Logger, Metrics, Model, RemoteModel } from '@petals-chat/engine'
import type { SessionPoolConfig } from '../config.ts'
import type { SessionPool } from '../context.ts'
import { createGenerationMetrics } from './generation-metrics.ts'
import { ModelSessions } from './model-sessions.ts'
import { RemoteTurns } from './remote-turns.ts'

export interface SessionPoolDependencies {
  readonly logger: Logger
  readonly metrics: Metrics
}

const QUEUE_BUCKETS_SECONDS = [0.001, 0.01, 0.1, 0.5, 1, 5, 15, 30, 60, 120]

/** Leases sessions, and keeps them with their KV caches for the next turn of a dialogue. */
export function createSessionPool(
  config: SessionPoolConfig,
  { logger, metrics }: SessionPoolDependencies,
): SessionPool {
  const models = new Map<Model, ModelSessions>()
  const remotes = new Map<RemoteModel, RemoteTurns>()
  const generationMetrics = createGenerationMetrics(metrics)
  const report = createPoolMetrics(metrics)
  let closed = false

  const sessionsOf = (model: Model): ModelSessions => {
    const known = models.get(model)
    if (known !== undefined) return known
    const sessions = new ModelSessions(model, {
      config,
      logger: logger.child({ model: model.id }),
      generationMetrics: generationMetrics(model.id),
      onChange: () => {
        report.counts(model.id, sessions)
        // A model that was unloaded must not be held by its empty pool.
        if (sessions.isEmpty) models.delete(model)
      },
    })
    models.set(model, sessions)
    return sessions
  }

  const turnsOf = (model: RemoteModel): RemoteTurns => {
    const known = remotes.get(model)
    if (known !== undefined) return known
    const turns = new RemoteTurns(model, {
      config,
      generationMetrics: generationMetrics(model.id),
      onChange: () => {
        report.counts(model.id, turns)
        // A model that its server no longer has must not be held by its empty queue.
        if (turns.isEmpty) remotes.delete(model)
      },
    })
    remotes.set(model, turns)
    return turns
  }

  return {
    assertRoom(id, claim, work = 'answer') {
      for (const [model, sessions] of models) if (model.id === id) sessions.assertRoom(claim, work)
      for (const [model, turns] of remotes) if (model.id === id) turns.assertRoom(claim)
    },
    async enter(model, request) {
      if (closed) throw new Error('The session pool is closed.')
      const turn = await turnsOf(model).enter(request)
      report.wait(model.id, turn.queuedMs)
      return turn
    },
    async acquire(model, request) {
      if (closed) throw new Error('The session pool is closed.')
      const lease = await sessionsOf(model).acquire(request)
      report.wait(model.id, lease.queuedMs)
      return lease
    },
    async prewarm(model, request) {
      if (!closed) await sessionsOf(model).prewarm(request)
    },
    async embed(model, tokens, claim) {
      if (closed) throw new Error('The session pool is closed.')
      return sessionsOf(model).embed(model, tokens, claim)
    },
    async embedRemotely(model, request, { via, ...claim }) {
      if (closed) throw new Error('The session pool is closed.')
      await using turn = await turnsOf(model).enter({ ...claim, maxNewTokens: 0 })
      report.wait(model.id, turn.queuedMs)
      return await model.embed(request, { via, signal: claim.signal })
    },
    async closeOwned(owner) {
      await Promise.all([...models.values()].map((sessions) => sessions.closeOwned(owner)))
    },
    async [Symbol.asyncDispose]() {
      closed = true
      await Promise.all([...models.values()].map((sessions) => sessions.close()))
    },
  }
}

type Counts = Pick<ModelSessions, 'waiting' | 'leased' | 'idle'>

function createPoolMetrics(metrics: Metrics) {
  const queueLength = metrics.gauge({
    name: 'petals_chat_queue_length',
    help: 'Requests that wait for a session.',
    labels: ['model'],
  })
  const sessionCount = metrics.gauge({
    name: 'petals_chat_sessions',
    help: 'Open sessions: leased to a request, or idle with a KV cache.',
    labels: ['model', 'state'],
  })
  const queueWait = metrics.histogram({
    name: 'petals_chat_queue_wait_seconds',
    help: 'From the request for a session to its lease.',
    labels: ['model'],
    buckets: QUEUE_BUCKETS_SECONDS,
  })
  // Most reports change one number, and a gauge takes longer than to see that it need not be set.
  const last = new Map<string, Counts>()
  return {
    counts(model: string, { waiting, leased, idle }: Counts) {
      const before = last.get(model)
      last.set(model, { waiting, leased, idle })
      if (waiting !== before?.waiting) queueLength.set(waiting, { model })
      if (leased !== before?.leased) sessionCount.set(leased, { model, state: 'leased' })
      if (idle !== before?.idle) sessionCount.set(idle, { model, state: 'idle' })
    },
    wait: (model: string, queuedMs: number) => queueWait.observe(queuedMs / 1000, { model }),
  }
}
