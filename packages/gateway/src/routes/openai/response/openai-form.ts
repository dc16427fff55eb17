import type { AnswerTypes, DeltaEvent, EndEvent } from '../../../generation/answer/answer-job.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { responseHead } from './head.ts'

/** What chat completions and completions write differently. */
export interface OpenAIForm<Job, Types extends AnswerTypes> {
  readonly idPrefix: Parameters<typeof responseHead>[0]
  /** `object` of the answer as one body, and of the events of a stream. */
  readonly object: { readonly body: string; readonly event: string }
  draft(job: Job): ChoiceDraft<Types>
  writer(job: Job): ChoiceWriter<Types>
}

/** One choice of a body, which grows piece by piece. */
export interface ChoiceDraft<Types extends AnswerTypes> {
  add(delta: Types['delta']): void
  /** The whole choice. */
  finished(index: number, finishReason: Types['finishReason']): object
}

/** Writes the choices of a stream. One writer serves one answer. */
export interface ChoiceWriter<Types extends AnswerTypes> {
  /** The frames that an event adds before the last frame of its choice. */
  frames(event: DeltaEvent<Types> | EndEvent<Types>, writer: FrameWriter): Iterable<string>
  /** The choice in its last frame. */
  last(event: EndEvent<Types>): string
}
