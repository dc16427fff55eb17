import type { ChatRequest } from '@petals-chat/api'
import type { AnswerJob, AnswerTypes } from '../../../generation/answer/answer-job.ts'
import type { AnswerDialect } from '../../../generation/answer/respond-with-answer.ts'
import { answerFrames } from './answer-frames.ts'
import { collectAnswer } from './collect-answer.ts'
import type { OpenAIForm } from './openai-form.ts'
import { FrameWriter } from './frame-writer.ts'
import { responseHead } from './head.ts'
import { openAIStream } from './openai-stream.ts'

/** Writes answers as OpenAI does. */
export const openAIDialect = <Job extends AnswerJob<Types>, Types extends AnswerTypes>(
  request: Pick<ChatRequest, 'stream_options'>,
  form: OpenAIForm<Job, Types>,
): AnswerDialect<Job, Types> => {
  const includeUsage = request.stream_options?.include_usage ?? false
  return {
    body: (job, events) => collectAnswer(job, form, events),
    frames: (job, events) => answerFrames(job, form, events, includeUsage),
    waiting: ({ job: { head }, notice }) =>
      new FrameWriter(responseHead(form.idPrefix, head), form.object.event, includeUsage).wait(notice),
    stream: openAIStream,
  }
}
