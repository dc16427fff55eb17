import type { Logger, SwarmModelStatus, SwarmView } from '@petals-chat/engine'

/** One observation of a model of the swarm. */
export interface SwarmSample {
  /** Milliseconds since 1970. */
  readonly at: number
  /** Servers that are online. */
  readonly servers: number
  /** Servers for the block that has the fewest. */
  readonly leastReplicas: number
}

export const HISTORY_MS = 60 * 60_000
export const SAMPLE_INTERVAL_MS = 60_000
/** A public swarm lists every model that its servers have registered, so the history is bounded. */
const MAX_MODELS = 100

export interface SwarmHistoryOptions {
  readonly swarm: SwarmView
  readonly logger: Logger
  /** Milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number
}

/** The state of the swarm in the last hour: one sample a minute for each model that the swarm lists. */
export class SwarmHistory {
  readonly #swarm: SwarmView
  readonly #logger: Logger
  readonly #now: () => number
  #samples: ReadonlyMap<string, readonly SwarmSample[]> = new Map()

  constructor({ swarm, logger, now = Date.now }: SwarmHistoryOptions) {
    this.#swarm = swarm
    this.#logger = logger
    this.#now = now
  }

  /** Samples now and every minute, until the signal aborts. */
  start(signal: AbortSignal): void {
    if (signal.aborted) return
    const timer = setInterval(() => void this.#sample(signal), SAMPLE_INTERVAL_MS).unref()
    signal.addEventListener('abort', () => clearInterval(timer), { once: true })
    void this.#sample(signal)
  }

  /** Oldest first. */
  of(modelId: string): readonly SwarmSample[] {
    const since = this.#now() - HISTORY_MS
    return (this.#samples.get(modelId) ?? []).filter(({ at }) => at > since)
  }

  async #sample(signal: AbortSignal): Promise<void> {
    try {
      const { models, problem } = await this.#swarm.status({ signal })
      if (problem !== undefined) return // the swarm was unreachable, which does not mean that its models are gone
      this.#samples = new Map(models.slice(0, MAX_MODELS).map((model) => [model.id, this.#extended(model)]))
    } catch (error) {
      if (!signal.aborted) this.#logger.debug({ err: error }, 'the state of the swarm could not be sampled')
    }
  }

  #extended(model: SwarmModelStatus): readonly SwarmSample[] {
    const { ageMs, servers, replicas } = model
    // A status that is older than a minute says nothing about this minute: leave a gap.
    if (ageMs === undefined || ageMs >= SAMPLE_INTERVAL_MS) return this.of(model.id)
    const sample = {
      at: this.#now(),
      servers: servers.filter(({ state }) => state === 'online').length,
      leastReplicas: replicas.length > 0 ? Math.min(...replicas) : 0,
    }
    return [...this.of(model.id), sample]
  }
}
