import type { Counter, Histogram, Metrics } from '@petals-chat/engine'

/** What sessions report; labels name the model, not the server: a public swarm has hundreds. */
export interface InferenceMetrics {
  readonly stepSeconds: Histogram
  readonly failovers: Counter
  readonly replayedTokens: Counter
}

export function inferenceMetrics(metrics: Metrics): InferenceMetrics {
  return {
    stepSeconds: metrics.histogram({
      name: 'petals_step_seconds',
      help: 'Time of one step through all servers of a route.',
      labels: ['model', 'phase'],
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    }),
    failovers: metrics.counter({
      name: 'petals_failovers_total',
      help: 'Servers that failed in a session and were replaced.',
      labels: ['model', 'reason'],
    }),
    replayedTokens: metrics.counter({
      name: 'petals_replayed_tokens_total',
      help: 'Tokens that were run again on a server that took over, or on a session that was renewed.',
      labels: ['model'],
    }),
  }
}
