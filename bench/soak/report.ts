import type { describeMachine } from '../support/machine.ts'
import { rounded } from '../support/statistics.ts'
import { type Sample, trendPerHour } from './samples.ts'
import type { Tally } from './tally.ts'

interface SoakResult {
  readonly machine: ReturnType<typeof describeMachine>
  readonly minutes: number
  readonly chats: number
  readonly tally: Tally
  readonly samples: readonly Sample[]
  /** Before the load, and when it has ended. */
  readonly before: Sample
  readonly after: Sample
}

/** Memory that is not given back within an hour. A garbage collector's noise over an hour is less. */
const MAX_MIB_PER_HOUR = 20
/** Connections to servers that have joined meanwhile stay open. */
const MAX_MORE_DESCRIPTORS = 20

/** Summarizes a run; `failures` names what did not hold. */
export function soakReport({ machine, minutes, chats, tally, samples, before, after }: SoakResult) {
  const gatewayTrend = trendPerHour(samples, ({ gatewayMiB }) => gatewayMiB)
  const childrenTrend = trendPerHour(samples, ({ childrenMiB }) => childrenMiB)
  const { 'answer seconds': seconds = 0, ...counts } = tally.counts
  const summary = {
    minutes,
    chats,
    ...counts,
    'mean seconds per answer': rounded(seconds / (counts['answers'] ?? 1)),
    problems: tally.problems.length,
    'gateway, MiB at begin and end': `${before.gatewayMiB} … ${after.gatewayMiB}`,
    'gateway, MiB per hour': rounded(gatewayTrend, 1),
    'its heap, MiB per hour': rounded(
      trendPerHour(samples, ({ heapMiB }) => heapMiB),
      1,
    ),
    'idle sessions, most': Math.max(...samples.map(({ idleSessions }) => idleSessions)),
    'local model, MiB per hour': rounded(childrenTrend, 1),
    'descriptors at begin and end': `${before.descriptors} … ${after.descriptors}`,
    'leased sessions at the end': after.leasedSessions,
  }
  const failures = [
    ...tally.problems,
    ...(counts['answers'] ? [] : ['There was no answer.']),
    ...[gatewayTrend, childrenTrend]
      .filter((trend) => trend > MAX_MIB_PER_HOUR)
      .map((trend) => `Memory grows by ${rounded(trend, 1)} MiB per hour.`),
    ...(after.descriptors > before.descriptors + MAX_MORE_DESCRIPTORS ? ['Descriptors leak.'] : []),
    ...(after.leasedSessions > 0 ? ['Sessions were not given back.'] : []),
  ]
  return { date: new Date().toISOString(), machine, summary, failures, samples }
}
