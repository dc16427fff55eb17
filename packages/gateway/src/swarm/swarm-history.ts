import type { Logger, SwarmModelStatus, SwarmView } from '@petals-chat/engine'

/** One look at a model of the swarm. */
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
/** A public swarm lists whatever its servers have registered: what is kept of it has a bound. */
const MAX_MODELS = 100

export interface SwarmHistoryOptions {
  readonly swarm: SwarmView
  readonly logger: Logger
  /** Milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number
}

/** What the swarm looked like in the last hour: a look a minute, at no more than the models that it shows. */
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

  /** Looks now and every minute, until the signal aborts. */
  start(signal: AbortSignal): void {
    if (signal.aborted) return
    const timer = setInterval(() => void this.#look(signal), SAMPLE_INTERVAL_MS).unref()
    signal.addEventListener('abort', () => clearInterval(timer), { once: true })
    void this.#look(signal)
  }

  /** Oldest first. */
  of(modelId: string): readonly SwarmSample[] {
    const since = this.#now() - HISTORY_MS
    return (this.#samples.get(modelId) ?? []).filter(({ at }) => at > since)
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      const { models, problem } = await this.#swarm.status({ signal })
      if (problem !== undefined) return // could not be asked: that does not mean that its models have gone
      this.#samples = new Map(models.slice(0, MAX_MODELS).map((model) => [model.id, this.#extended(model)]))
    } catch (error) {
      if (!signal.aborted) this.#logger.debug({ err: error }, 'no look at the swarm for its history')
    }
  }

  #extended(model: SwarmModelStatus): readonly SwarmSample[] {
    const { ageMs, servers, replicas } = model
    // Old news say nothing of this minute: a gap is honest.
    if (ageMs === undefined || ageMs >= SAMPLE_INTERVAL_MS) return this.of(model.id)
    const sample = {
      at: this.#now(),
      servers: servers.filter(({ state }) => state === 'online').length,
      leastReplicas: replicas.length > 0 ? Math.min(...replicas) : 0,
    }
    return [...this.of(model.id), sample]
  }
}
