import { z } from 'zod'
import { json, type Operation, type OperationParameter, type OperationTag } from '../operation.ts'
import { errorSchema } from '../error.ts'

export const answerTag: OperationTag = {
  name: 'Resumable answers',
  description:
    'Answers requested with `resumable: true` continue for a while when their connection is cut (`server.answers` of ' +
    'the configuration). Their id is in the header `x-answer-id` and in the `id:` of every event, `{answer}:{number}`. ' +
    'The id is the capability: a client that has it can read, stop and delete the answer.',
}

/** Body of `POST /v1/answers/{id}/cancel`. */
export const answerSchema = z.object({
  id: z.string(),
  object: z.literal('answer'),
  outcome: z
    .enum(['complete', 'failed', 'cancelled', 'expired', 'shutdown'])
    .describe('How the answer ended; complete where the cancellation came too late.'),
})

/** Body of `DELETE /v1/answers/{id}`. */
export const deletedAnswerSchema = z.object({
  id: z.string(),
  object: z.literal('answer.deleted'),
  deleted: z.literal(true),
})

export type AnswerObject = z.output<typeof answerSchema>
export type DeletedAnswer = z.output<typeof deletedAnswerSchema>

const answer: OperationParameter = {
  name: 'answer',
  in: 'path',
  schema: z.string(),
  description: 'The id of the header `x-answer-id`.',
}

const common = { tag: answerTag.name, scope: 'openai', error: errorSchema } as const

export const answerOperations: readonly Operation[] = [
  {
    ...common,
    id: 'streamAnswer',
    method: 'get',
    path: '/v1/answers/{answer}/stream',
    summary: 'Read an answer from a given event on',
    description:
      'Sends the events after that one, then new ones as they come, as the original request would have received them. ' +
      'Several readers may read at once.',
    parameters: [
      answer,
      {
        name: 'after',
        in: 'query',
        schema: z.string(),
        description: 'Id or number of the last event that arrived. Default 0: all events.',
      },
      {
        name: 'last-event-id',
        in: 'header',
        schema: z.string(),
        description: 'The same, as an EventSource sends it; takes precedence over `after`.',
      },
    ],
    responses: {
      200: {
        description: 'The events.',
        content: {
          'text/event-stream': {
            text: 'Events `id: {answer}:{number}` and `data: {…}`, then `data: [DONE]` or `data: {"error": …}`.',
          },
        },
      },
      204: { description: 'The answer has ended, and no event follows that one.', content: {} },
    },
    errorStatuses: [400, 404],
  },
  {
    ...common,
    id: 'cancelAnswer',
    method: 'post',
    path: '/v1/answers/{answer}/cancel',
    summary: 'Stop an answer',
    description:
      'The engine stops within a step. All readers get a last event, an error with the code `answer_cancelled`. ' +
      'The text so far stays readable for a while.',
    parameters: [answer],
    responses: { 200: { description: 'The answer has ended.', content: json(answerSchema) } },
    errorStatuses: [404],
  },
  {
    ...common,
    id: 'deleteAnswer',
    method: 'delete',
    path: '/v1/answers/{answer}',
    summary: 'Delete an answer, and stop it if it is running',
    parameters: [answer],
    responses: {
      200: { description: 'The answer is no longer kept.', content: json(deletedAnswerSchema) },
    },
    errorStatuses: [404],
  },
]
