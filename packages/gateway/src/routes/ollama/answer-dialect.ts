import type { AnswerJob, AnswerTypes } from '../../generation/answer/answer-job.ts'
import type { AnswerDialect } from '../../generation/answer/respond-with-answer.ts'
import { ollamaErrorBody } from '../../error-response.ts'
import { RequestClock } from './durations.ts'

/** What a line of an answer has beside its time, the model, and whether it is the last. */
export type Piece = Readonly<Record<string, unknown>>

/** Writes the pieces of one answer. */
export interface PieceWriter<Types extends AnswerTypes> {
  /** The pieces of a part of the answer; one line each. */
  write(delta: Types['delta']): Iterable<Piece>
  /** A piece without text. */
  empty(): Piece
  /** The pieces that wait for the end. */
  rest(): Iterable<Piece>
  /** All pieces as one. */
  whole(): Piece
  /** The fields that only the end has. */
  last?(): Piece
}

/** Writes answers as Ollama does: one line of JSON for each piece, the last one with what the answer took. */
export function ollamaDialect<Job extends AnswerJob<Types>, Types extends AnswerTypes>(
  asked: string,
  writerOf: (job?: Job) => PieceWriter<Types>,
): AnswerDialect<Job, Types> {
  const clock = new RequestClock()
  const head = (model: string) => ({ model, created_at: new Date().toISOString() })
  return {
    stream: {
      contentType: 'application/x-ndjson',
      // Lines of JSON have no comments.
      pingFrame: () => line({ ...head(asked), ...writerOf().empty(), done: false }),
      errorFrame: (description) => line(ollamaErrorBody(description)),
    },
    // Lines of JSON have no comments.
    waiting: () => [],
    async body(job, events) {
      clock.loaded()
      const writer = writerOf(job)
      let end: Piece = {}
      for await (const event of events) {
        if (event.type === 'delta') for (const _piece of writer.write(event.delta));
        else if (event.type === 'end') end = endOf(event.finishReason, clock.figures(event.cost))
      }
      for (const _piece of writer.rest());
      return { ...head(job.head.model), ...writer.whole(), ...end, ...writer.last?.() }
    },
    async *frames(job, events) {
      clock.loaded()
      const writer = writerOf(job)
      const { model } = job.head
      const toLine = (piece: Piece) => line({ ...head(model), ...piece, done: false })
      for await (const event of events) {
        if (event.type === 'wait') continue
        if (event.type === 'delta') {
          for (const piece of writer.write(event.delta)) yield toLine(piece)
          continue
        }
        for (const piece of writer.rest()) yield toLine(piece)
        const end = endOf(event.finishReason, clock.figures(event.cost))
        yield line({ ...head(model), ...writer.empty(), ...end, ...writer.last?.() })
      }
    },
  }
}

/** Ollama has no reason of its own for calls. */
const endOf = (finishReason: string, figures: Piece): Piece => ({
  done: true,
  done_reason: finishReason === 'length' ? 'length' : 'stop',
  ...figures,
})

const line = (value: object): string => `${JSON.stringify(value)}\n`
