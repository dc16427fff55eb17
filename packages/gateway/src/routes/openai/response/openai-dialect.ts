import type { ChatRequest } from '@petals-chat/api'
import type { AnswerJob, AnswerTypes } from '../../../generation/answer/answer-job.ts'
import type { AnswerDialect } from '../../../generation/answer/respond-with-answer.ts'
import { answerFrames } from './answer-frames.ts'
import { collectAnswer } from './collect-answer.ts'
import type { OpenAIForm } from './openai-form.ts'
import { openAIStream } from './openai-stream.ts'

/** Writes answers as OpenAI does. */
export const openAIDialect = <Job extends AnswerJob<Types>, Types extends AnswerTypes>(
  request: Pick<ChatRequest, 'stream_options'>,
  form: OpenAIForm<Job, Types>,
): AnswerDialect<Job, Types> => ({
  body: (job, events) => collectAnswer(job, form, events),
  frames: (job, events) => answerFrames(job, form, events, request.stream_options?.include_usage ?? false),
  stream: openAIStream,
})
