import type { Counter, Histogram, MetricLabels, Metrics } from '@petals-chat/engine'
import type { Span } from '../blocks/spans.ts'

/** What sessions report. Labels name spans (`0:15`), not servers: a public swarm has hundreds, and they change every day. */
export interface InferenceMetrics {
  readonly stepSeconds: Histogram
  readonly spanStepSeconds: Histogram
  readonly bytes: Counter
  readonly failovers: Counter
  readonly replayedTokens: Counter
  readonly standbyTokens: Counter
  readonly takeovers: Counter
}

const buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export const spanLabels = (model: string, { start, end }: Span): MetricLabels => ({
  model,
  span: `${start}:${end}`,
})

/**
 * What a step does. `drafted`: it runs several tokens of an answer, because some are guessed or forced by its form.
 */
export type Phase = 'prefill' | 'decode' | 'drafted'

export function phaseOf(tokens: number, isAnswer: boolean): Phase {
  if (tokens === 1) return 'decode'
  return isAnswer ? 'drafted' : 'prefill'
}

export function inferenceMetrics(metrics: Metrics): InferenceMetrics {
  return {
    stepSeconds: metrics.histogram({
      name: 'petals_step_seconds',
      help: 'Time of one step through all servers of a route: prefill (a prompt), decode (one token) or drafted (several tokens of an answer).',
      labels: ['model', 'phase'],
      buckets,
    }),
    spanStepSeconds: metrics.histogram({
      name: 'petals_span_step_seconds',
      help: 'Time of one step on the server of a span, as this client sees it: decode, drafted or prefill, which is also what is sent again, and to standbys.',
      labels: ['model', 'span', 'phase'],
      buckets,
    }),
    bytes: metrics.counter({
      name: 'petals_span_bytes_total',
      help: 'Bytes of hidden states sent to the servers of a span, and received from them.',
      labels: ['model', 'span', 'direction'],
    }),
    failovers: metrics.counter({
      name: 'petals_failovers_total',
      help: 'Servers that failed in a session and were replaced.',
      labels: ['model', 'span', 'reason'],
    }),
    replayedTokens: metrics.counter({
      name: 'petals_replayed_tokens_total',
      help: 'Tokens that were run again on a replacement, or in a session that was renewed.',
      labels: ['model'],
    }),
    standbyTokens: metrics.counter({
      name: 'petals_standby_tokens_total',
      help: 'Tokens that were run on standbys, besides those of the answers.',
      labels: ['model', 'span'],
    }),
    takeovers: metrics.counter({
      name: 'petals_standby_takeovers_total',
      help: 'Standbys that took over for a server that had failed, was late, or whose session was over.',
      labels: ['model', 'span'],
    }),
  }
}
