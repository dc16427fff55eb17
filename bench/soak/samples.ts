import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { SoakTarget } from './chats.ts'

/** One look at the gateway. */
export interface Sample {
  readonly seconds: number
  /** Resident memory of the gateway's own process, in MiB. */
  readonly gatewayMiB: number
  /** The same of its children: the local model's process. */
  readonly childrenMiB: number
  readonly descriptors: number
  readonly leasedSessions: number
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
  const residents = await Promise.all(children.map(residentMiB))
  return {
    seconds: Math.round(seconds),
    gatewayMiB: await residentMiB(pid),
    childrenMiB: residents.reduce((sum, each) => sum + each, 0),
    descriptors: (await readdir(`/proc/${pid}/fd`)).length,
    leasedSessions: await leasedSessions(target),
  }
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 102.4) / 10
}

async function leasedSessions({ url, key }: SoakTarget): Promise<number> {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` } })
  const leased = (await response.text()).matchAll(/^petals_chat_sessions\{[^}]*state="leased"[^}]*\} (\d+)/gm)
  return [...leased].reduce((sum, [, value]) => sum + Number(value), 0)
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
