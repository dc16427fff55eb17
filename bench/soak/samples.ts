import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { metricSum, readMetrics } from '../../tests/e2e/support/metrics.ts'
import { readProcess } from '../support/process-state.ts'
import type { SoakTarget } from './chats.ts'

/** One look at the gateway. */
export interface Sample {
  readonly seconds: number
  /** Resident memory of the gateway's own process, in MiB. */
  readonly gatewayMiB: number
  /** What its JavaScript objects take of that, garbage included, and what it holds outside the heap. */
  readonly heapMiB: number
  readonly externalMiB: number
  /** The same of its children: the local model's process. */
  readonly childrenMiB: number
  readonly descriptors: number
  readonly leasedSessions: number
  /** Sessions that are kept for the next turn of their dialogue. */
  readonly idleSessions: number
}

const INTERVAL_MS = 5000

/** Looks at a process (Linux only) until `signal` aborts. */
export async function collectSamples(
  pid: number,
  target: SoakTarget,
  signal: AbortSignal,
): Promise<readonly Sample[]> {
  const started = performance.now()
  const samples: Sample[] = []
  while (!signal.aborted) {
    samples.push(await sampleOf(pid, target, (performance.now() - started) / 1000))
    await delay(INTERVAL_MS, undefined, { signal }).catch(() => {})
  }
  return samples
}

export async function sampleOf(pid: number, target: SoakTarget, seconds: number): Promise<Sample> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const children = text.split(' ').filter(Boolean).map(Number)
  // A child may have ended meanwhile.
  const ofChildren = await Promise.all(children.map((child) => readProcess(child).catch(() => undefined)))
  const { residentMiB, files } = await readProcess(pid)
  const metrics = await readMetrics(target.url, { authorization: `Bearer ${target.key}` })
  const mebibytes = (name: string): number => Math.round(metricSum(metrics, name) / 2 ** 20)
  return {
    seconds: Math.round(seconds),
    gatewayMiB: residentMiB,
    heapMiB: mebibytes('nodejs_heap_size_used_bytes'),
    externalMiB: mebibytes('nodejs_external_memory_bytes'),
    childrenMiB: ofChildren.reduce((sum, child) => sum + (child?.residentMiB ?? 0), 0),
    descriptors: files,
    leasedSessions: metricSum(metrics, 'petals_chat_sessions', 'state="leased"'),
    idleSessions: metricSum(metrics, 'petals_chat_sessions', 'state="idle"'),
  }
}

/**
 * The trend of a value per hour, after a warm-up of a fifth of the time: the median of the slopes between all pairs of
 * samples (Theil and Sen), which single peaks before a garbage collection don't move.
 */
export function trendPerHour(samples: readonly Sample[], value: (sample: Sample) => number): number {
  const last = samples.at(-1)?.seconds ?? 0
  const settled = samples.filter(({ seconds }) => seconds >= last / 5)
  const slopes = settled
    .flatMap((a, i) =>
      settled.slice(i + 1).map((b) => ((value(b) - value(a)) / (b.seconds - a.seconds)) * 3600),
    )
    .filter(Number.isFinite)
    .toSorted((a, b) => a - b)
  return slopes[slopes.length >> 1] ?? 0
}
