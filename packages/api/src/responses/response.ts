import { z } from 'zod'
import { openaiOperation } from '../openai/openai-operation.ts'
import { json, type Operation, type OperationParameter } from '../operation.ts'
import { deletedResponseSchema, inputItemListSchema, responseSchema } from './response-body.ts'
import { responseEventSchema } from './response-event.ts'
import { responseRequestSchema } from './response-request.ts'
import { responsesTag } from './responses-operation.ts'

const response: OperationParameter = {
  name: 'response',
  in: 'path',
  schema: z.string(),
  description: 'The id of a kept response.',
}

const kept = { tag: responsesTag.name, parameters: [response], errorStatuses: [404] }

export const responseOperations: readonly Operation[] = [
  openaiOperation({
    tag: responsesTag.name,
    id: 'createResponse',
    method: 'post',
    path: '/v1/responses',
    summary: 'Answer an input',
    description:
      'The model’s own chat template renders instructions and items. Closing the connection stops the engine.',
    request: json(responseRequestSchema),
    example: { input: 'What is the capital of France?', max_output_tokens: 64 },
    responses: {
      200: {
        description: 'The response, or its events with `stream: true`.',
        content: {
          ...json(responseSchema),
          'text/event-stream': {
            event: responseEventSchema,
            text:
              'Events with the name of their `type`, from `response.created` to `response.completed` or ' +
              '`response.incomplete`. A failure is an event `error`, then `response.failed`. Comments (`: ping`) may come ' +
              'in between.',
          },
        },
      },
    },
  }),
  openaiOperation({
    ...kept,
    id: 'retrieveResponse',
    method: 'get',
    path: '/v1/responses/{response}',
    summary: 'Read a kept response, or its events',
    parameters: [
      response,
      {
        name: 'stream',
        in: 'query',
        schema: z.string(),
        description:
          'true: the events of a response with `background: true`, those that were sent and those that come.',
      },
      {
        name: 'starting_after',
        in: 'query',
        schema: z.string(),
        description: 'The `sequence_number` of the last event that the client has. Only with `stream`.',
      },
    ],
    responses: {
      200: {
        description: 'The response, or its events with `stream=true`.',
        content: {
          ...json(responseSchema),
          'text/event-stream': {
            event: responseEventSchema,
            text: 'The events of the response, with the numbers that they had first.',
          },
        },
      },
    },
  }),
  openaiOperation({
    ...kept,
    id: 'deleteResponse',
    method: 'delete',
    path: '/v1/responses/{response}',
    summary: 'Delete a kept response',
    responses: { 200: { description: 'It is no longer kept.', content: json(deletedResponseSchema) } },
  }),
  openaiOperation({
    ...kept,
    id: 'cancelResponse',
    method: 'post',
    path: '/v1/responses/{response}/cancel',
    summary: 'Stop a response that is being written',
    description: 'The engine stops within a step. A response that has ended stays as it is.',
    responses: { 200: { description: 'The response has ended.', content: json(responseSchema) } },
  }),
  openaiOperation({
    ...kept,
    id: 'listResponseInputItems',
    method: 'get',
    path: '/v1/responses/{response}/input_items',
    summary: 'List the input of a kept response',
    description: 'Its whole input, with that of the responses before it.',
    parameters: [
      response,
      {
        name: 'limit',
        in: 'query',
        schema: z.string(),
        description: 'The most items to return, 1 to 100. Default 20.',
      },
      {
        name: 'order',
        in: 'query',
        schema: z.enum(['asc', 'desc']),
        description: 'Default desc: newest first.',
      },
      { name: 'after', in: 'query', schema: z.string(), description: 'The id of the item before the first.' },
    ],
    responses: { 200: { description: 'The items.', content: json(inputItemListSchema) } },
    errorStatuses: [400, 404],
  }),
]
