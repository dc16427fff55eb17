import { z } from 'zod'
import { answerSchema, deletedAnswerSchema } from './answer.ts'
import { errorSchema } from './error.ts'
import type { Operation, OperationParameter, OperationTag } from '../operation.ts'

export const answerTag: OperationTag = {
  name: 'Resumable answers',
  description:
    'Answers that were asked for with `resumable: true` go on for a while when their connection is cut ' +
    '(`server.answers` of the configuration). Their id is in the header `x-answer-id` and in the `id:` of every event, ' +
    '`{answer}:{number}`. Whoever knows it can read, stop and delete the answer.',
}

const answer: OperationParameter = {
  name: 'answer',
  in: 'path',
  schema: z.string(),
  description: 'The id of the header `x-answer-id`.',
}

const common = { tag: answerTag.name, error: errorSchema }

export const answerOperations: readonly Operation[] = [
  {
    ...common,
    id: 'streamAnswer',
    method: 'get',
    path: '/v1/answers/{answer}/stream',
    summary: 'Read an answer from some event on',
    description:
      'The events after that one, then new ones as they come, as the request that asked for the answer would have got ' +
      'them. Several readers may read at once.',
    parameters: [
      answer,
      {
        name: 'after',
        in: 'query',
        schema: z.string(),
        description: 'Id or number of the last event that came. Default 0: all from the first.',
      },
      {
        name: 'last-event-id',
        in: 'header',
        schema: z.string(),
        description: 'The same, as an EventSource sends it; wins.',
      },
    ],
    responses: {
      200: {
        description: 'The events.',
        content: {
          'text/event-stream': {
            text: 'Events `id: {answer}:{number}` and `data: {…}`, at last `data: [DONE]` or `data: {"error": …}`.',
          },
        },
      },
      204: { description: 'The answer has ended, and there is nothing after that event.', content: {} },
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
      'The engine stops within a step. The last event, for all readers, is an error with the code `answer_cancelled`. ' +
      'What was written stays readable for a while.',
    parameters: [answer],
    responses: {
      200: { description: 'It has ended.', content: { 'application/json': answerSchema } },
    },
    errorStatuses: [404],
  },
  {
    ...common,
    id: 'deleteAnswer',
    method: 'delete',
    path: '/v1/answers/{answer}',
    summary: 'Delete an answer, and stop it if it runs',
    parameters: [answer],
    responses: {
      200: { description: 'It is not kept any more.', content: { 'application/json': deletedAnswerSchema } },
    },
    errorStatuses: [404],
  },
]
