import type { Metrics } from '@petals-chat/engine'
import type { AnswerKind, AnswerOutcome } from './kept-answer.ts'

export interface AnswerMetrics {
  counts(running: number, finished: number): void
  bytes(kept: number): void
  resumed(kind: AnswerKind): void
  ended(kind: AnswerKind, outcome: AnswerOutcome): void
}

export function createAnswerMetrics(metrics: Metrics): AnswerMetrics {
  const answers = metrics.gauge({
    name: 'petals_chat_resumable_answers',
    help: 'Resumable answers and sessions that are kept, by state: running or finished.',
    labels: ['state'],
  })
  const bytes = metrics.gauge({
    name: 'petals_chat_resumable_answer_bytes',
    help: 'Bytes of resumable answers and sessions that are kept.',
  })
  const resumptions = metrics.counter({
    name: 'petals_chat_answer_resumptions_total',
    help: 'Number of times that a reader resumed an answer or a session.',
    labels: ['kind'],
  })
  const ends = metrics.counter({
    name: 'petals_chat_resumable_answers_ended_total',
    help: 'Resumable answers and sessions that ended, by outcome; expired: no client read them for too long.',
    labels: ['kind', 'outcome'],
  })
  return {
    counts(running, finished) {
      answers.set(running, { state: 'running' })
      answers.set(finished, { state: 'finished' })
    },
    bytes: (kept) => bytes.set(kept),
    resumed: (kind) => resumptions.add(1, { kind }),
    ended: (kind, outcome) => ends.add(1, { kind, outcome }),
  }
}
