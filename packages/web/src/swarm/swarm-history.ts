import type { SwarmModel } from '../api/swarm.ts'
import { isRecord, records } from '../api/read-json.ts'

/** The state of a swarm model at one moment. */
export interface SwarmSample {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly servers: number
  /** Servers of the block that has the fewest. */
  readonly leastReplicas: number
}

export type SwarmHistory = Readonly<Record<string, readonly SwarmSample[]>>

export const HISTORY_MS = 60 * 60 * 1000
/** A chart of an hour would not show closer samples. */
const SAMPLE_INTERVAL_MS = 15_000

/**
 * Adds a sample of every model to the history, and the server's samples, which it takes even while no page is open.
 * Drops samples older than an hour.
 */
export function recordSamples(
  history: SwarmHistory,
  models: readonly SwarmModel[],
  now: number,
): SwarmHistory {
  const entries = models.map((model) => {
    const known = withServers(history[model.id] ?? [], model.history, now)
    const kept = known.filter(({ at }) => at > now - HISTORY_MS && at <= now)
    const last = kept.at(-1)
    const due = last === undefined || now - last.at >= SAMPLE_INTERVAL_MS
    return [model.id, due ? [...kept, sampleOf(model, now)] : kept] as const
  })
  return Object.fromEntries(entries)
}

/**
 * Merges the server's samples with the page's own from before and after them: the server may have been restarted
 * meanwhile.
 */
function withServers(
  own: readonly SwarmSample[],
  looks: SwarmModel['history'],
  now: number,
): readonly SwarmSample[] {
  const samples = looks.map(({ ageMs, ...look }) => ({ at: now - ageMs, ...look }))
  const [first, last] = [samples[0], samples.at(-1)]
  if (!first || !last) return own
  // The page's copies of the server's samples differ by some milliseconds, since responses take time.
  return [
    ...own.filter(({ at }) => at <= first.at - SAMPLE_INTERVAL_MS),
    ...samples,
    ...own.filter(({ at }) => at >= last.at + SAMPLE_INTERVAL_MS),
  ]
}

function sampleOf({ servers, replicas }: SwarmModel, at: number): SwarmSample {
  return {
    at,
    servers: servers.filter(({ state }) => state === 'online').length,
    leastReplicas: replicas.length > 0 ? Math.min(...replicas) : 0,
  }
}

/** Reads a history that was stored as JSON; returns an empty one for anything else. */
export function parseHistory(json: string | null): SwarmHistory {
  try {
    const value: unknown = JSON.parse(json ?? '{}')
    if (!isRecord(value)) return {}
    return Object.fromEntries(
      Object.entries(value).map(([id, samples]) => [id, records(samples).flatMap(parseSample)]),
    )
  } catch {
    return {}
  }
}

function parseSample({ at, servers, leastReplicas }: Record<string, unknown>): SwarmSample[] {
  const valid = [at, servers, leastReplicas].every((value) => typeof value === 'number')
  return valid ? [{ at, servers, leastReplicas } as SwarmSample] : []
}
