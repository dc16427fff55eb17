import { z } from 'zod'
import { chatRequestSchema } from './chat-request.ts'
import { chatResponseSchema } from './chat-response.ts'
import { completionRequestSchema } from './completion-request.ts'
import { completionResponseSchema } from './completion-response.ts'
import { embeddingRequestSchema, embeddingResponseSchema } from './embedding.ts'
import { errorSchema } from './error.ts'
import { modelListSchema, modelSchema } from './model.ts'
import {
  detokenizeRequestSchema,
  detokenizeResponseSchema,
  tokenizeRequestSchema,
  tokenizeResponseSchema,
} from './tokenize.ts'
import type { Content, Operation, OperationTag } from '../operation.ts'

export const openaiTag: OperationTag = {
  name: 'OpenAI-compatible API',
  description:
    'What clients of OpenAI’s API know: set their base URL to this server’s address with /v1, and any API key. ' +
    'Fields marked “Extension” are ours or other servers’; fields that have no bearing on the ' +
    'answer are ignored; those that would change it and can’t be honoured, and unknown ones, are refused by name.',
}

const json = (schema: z.ZodType) => ({ 'application/json': schema })

const operation = (
  fields: Omit<Operation, 'tag' | 'error' | 'errorStatuses'> & Partial<Pick<Operation, 'errorStatuses'>>,
): Operation => ({
  tag: openaiTag.name,
  error: errorSchema,
  errorStatuses: [400, 403, 404, 429, 502, 503],
  ...fields,
})

const events = (chunk: string): Content => ({
  text: `Events \`data: {${chunk}}\`, then \`data: [DONE]\`. A fault is an event \`data: {"error": …}\` without [DONE] after it. Comments (\`: ping\`) may come in between.`,
})

export const openaiOperations: readonly Operation[] = [
  operation({
    id: 'listModels',
    method: 'get',
    path: '/v1/models',
    summary: 'List the models',
    responses: { 200: { description: 'The models of this server.', content: json(modelListSchema) } },
    errorStatuses: [],
  }),
  operation({
    id: 'getModel',
    method: 'get',
    path: '/v1/models/{model}',
    summary: 'Describe a model',
    parameters: [
      {
        name: 'model',
        in: 'path',
        schema: z.string(),
        description: 'Id or alias. A `/` in it may stay, or be `%2F`.',
      },
    ],
    responses: { 200: { description: 'The model.', content: json(modelSchema) } },
    errorStatuses: [404],
  }),
  operation({
    id: 'createChatCompletion',
    method: 'post',
    path: '/v1/chat/completions',
    summary: 'Answer a dialogue',
    description:
      'The dialogue goes through the model’s own chat template. Closing the connection stops the engine.',
    request: json(chatRequestSchema),
    example: { messages: [{ role: 'user', content: 'What is the capital of France?' }], max_tokens: 64 },
    responses: {
      200: {
        description: 'The answer, or its events with `stream: true`.',
        content: {
          ...json(chatResponseSchema),
          'text/event-stream': events('"object": "chat.completion.chunk", …'),
        },
      },
    },
  }),
  operation({
    id: 'createCompletion',
    method: 'post',
    path: '/v1/completions',
    summary: 'Continue a text',
    description:
      'Texts, lists of texts, or token ids. With `echo`, `logprobs` and `max_tokens: 0` the prompt is only scored, as ' +
      'evaluation harnesses need it.',
    request: json(completionRequestSchema),
    example: { prompt: 'Once upon a time', max_tokens: 32 },
    responses: {
      200: {
        description: 'The continuation, or its events with `stream: true`.',
        content: {
          ...json(completionResponseSchema),
          'text/event-stream': events('"object": "text_completion", …'),
        },
      },
    },
  }),
  operation({
    id: 'createEmbedding',
    method: 'post',
    path: '/v1/embeddings',
    summary: 'Embed texts',
    request: json(embeddingRequestSchema),
    example: { input: 'A text to compare with others' },
    responses: { 200: { description: 'One vector to each input.', content: json(embeddingResponseSchema) } },
  }),
  operation({
    id: 'tokenize',
    method: 'post',
    path: '/v1/tokenize',
    summary: 'Text or dialogue to tokens',
    request: json(tokenizeRequestSchema),
    example: { prompt: 'Hello, world!', return_token_strs: true },
    responses: { 200: { description: 'Token ids.', content: json(tokenizeResponseSchema) } },
    errorStatuses: [400, 403, 404, 503],
  }),
  operation({
    id: 'detokenize',
    method: 'post',
    path: '/v1/detokenize',
    summary: 'Tokens to text',
    request: json(detokenizeRequestSchema),
    example: { tokens: [1, 2, 3] },
    responses: { 200: { description: 'The text.', content: json(detokenizeResponseSchema) } },
    errorStatuses: [400, 403, 404, 503],
  }),
]
