import type { Metrics } from '@petals-chat/engine'
import type { Span } from '../blocks/spans.ts'

/**
 * Metrics of a router. Labels name spans (`0:15`), not servers: a public swarm has hundreds of servers, and different ones
 * every day.
 */
export interface RouterMetrics {
  roundTrip(span: Span, seconds: number): void
  ban(span: Span): void
}

export function routerMetrics(metrics: Metrics, model: string): RouterMetrics {
  const roundTrips = metrics.histogram({
    name: 'petals_round_trip_seconds',
    help: 'Round trips to the servers of a span, one sample for each ping that is answered.',
    labels: ['model', 'span'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 1, 3],
  })
  const bans = metrics.counter({
    name: 'petals_bans_total',
    help: 'Bans of servers of a span after failures.',
    labels: ['model', 'span'],
  })
  return {
    roundTrip: (span, seconds) => roundTrips.observe(seconds, { model, span: nameOf(span) }),
    ban: (span) => bans.add(1, { model, span: nameOf(span) }),
  }
}

const nameOf = ({ start, end }: Span): string => `${start}:${end}`
