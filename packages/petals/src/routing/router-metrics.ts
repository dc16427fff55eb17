import type { Metrics } from '@petals-chat/engine'
import type { Span } from '../blocks/spans.ts'

/**
 * What a router reports. Labels name spans (`0:15`), not servers: there are hundreds of those in a public swarm, and other
 * ones every day.
 */
export interface RouterMetrics {
  roundTrip(span: Span, seconds: number): void
  ban(span: Span): void
}

export function routerMetrics(metrics: Metrics, model: string): RouterMetrics {
  const roundTrips = metrics.histogram({
    name: 'petals_round_trip_seconds',
    help: 'Round trips to the servers of a span, at every ping that is answered.',
    labels: ['model', 'span'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 1, 3],
  })
  const bans = metrics.counter({
    name: 'petals_bans_total',
    help: 'Servers of a span that failed and were left alone for a while.',
    labels: ['model', 'span'],
  })
  return {
    roundTrip: (span, seconds) => roundTrips.observe(seconds, { model, span: nameOf(span) }),
    ban: (span) => bans.add(1, { model, span: nameOf(span) }),
  }
}

const nameOf = ({ start, end }: Span): string => `${start}:${end}`
