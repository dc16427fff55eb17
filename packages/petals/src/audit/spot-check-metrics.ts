import type { Metrics } from '@petals-chat/engine'
import type { Span } from '../blocks/spans.ts'

/** `skipped`: the servers that should have checked did not answer. */
export type CheckResult = 'alike' | 'wrong' | 'disputed' | 'skipped'

/** Returns a function that counts the spot checks of a model. */
export function spotCheckMetrics(metrics: Metrics, model: string): (span: Span, result: CheckResult) => void {
  const checks = metrics.counter({
    name: 'petals_spot_checks_total',
    help: 'Parts of answers that other servers computed again, by what came of it.',
    labels: ['model', 'span', 'result'],
  })
  return ({ start, end }, result) => checks.add(1, { model, span: `${start}:${end}`, result })
}
