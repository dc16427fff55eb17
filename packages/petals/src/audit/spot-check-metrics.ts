import type { Metrics } from '@petals-chat/engine'
import type { Span } from '../blocks/spans.ts'

/** `skipped`: the servers that should have checked did not answer. */
type CheckResult = 'alike' | 'wrong' | 'disputed' | 'skipped'

/** How a check ended, and for which server. Each check ends in exactly one way. */
export interface CheckOutcome {
  readonly span: Span
  readonly result: CheckResult
}

/** Returns a function that counts the spot checks of a model. */
export function spotCheckMetrics(metrics: Metrics, model: string): (outcome: CheckOutcome) => void {
  const checks = metrics.counter({
    name: 'petals_spot_checks_total',
    help: 'Parts of answers that other servers computed again, by what came of it.',
    labels: ['model', 'span', 'result'],
  })
  return ({ span: { start, end }, result }) => checks.add(1, { model, span: `${start}:${end}`, result })
}
