import { json, type Operation } from '../operation.ts'
import { completionRequestSchema } from './completion-request.ts'
import { completionChunkSchema, completionResponseSchema } from './completion-response.ts'
import { answerEvents, openaiOperation } from './openai-operation.ts'

export const createCompletion: Operation = openaiOperation({
  id: 'createCompletion',
  method: 'post',
  path: '/v1/completions',
  summary: 'Continue a text',
  description:
    'Takes texts, lists of texts, or token ids. With `echo`, `logprobs` and `max_tokens: 0` the prompt is only scored, ' +
    'as evaluation harnesses need it.',
  request: json(completionRequestSchema),
  example: { prompt: 'Once upon a time', max_tokens: 32 },
  responses: {
    200: {
      description: 'The continuation, or its events with `stream: true`.',
      content: {
        ...json(completionResponseSchema),
        'text/event-stream': answerEvents(completionChunkSchema, 'text_completion'),
      },
    },
  },
})
