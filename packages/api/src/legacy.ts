import { z } from 'zod'
import type { Operation, OperationParameter, OperationTag } from './operation.ts'

export const legacyTag: OperationTag = {
  name: 'API of the original chat.petals.dev',
  description: 'For its clients, unchanged. New programs are better off with /v1.',
}

const fields = {
  model: z.string().optional().describe('Id or alias of a model. Default: the first one of this server.'),
  inputs: z.string().optional().describe('The text to continue.'),
  do_sample: z
    .union([z.literal(0), z.literal(1)])
    .optional()
    .describe('0 (default): greedy; 1: sample.'),
  temperature: z.number().min(0).optional().describe('With do_sample; 0 is greedy. Default 1.'),
  top_k: z.int().min(-1).optional().describe('With do_sample; 0 and -1 are off.'),
  top_p: z.number().min(0).optional().describe('With do_sample; 1 is off.'),
  repetition_penalty: z.number().gt(0).optional().describe('1 is off.'),
  max_length: z
    .int()
    .min(1)
    .optional()
    .describe('Tokens of prompt and answer together; cut to what the context has room for.'),
  max_new_tokens: z
    .int()
    .min(-1)
    .optional()
    .describe(
      'Tokens of the answer, cut to what the context has room for; -1: until it is full. Wins over max_length; one of them is needed.',
    ),
}

export const legacyRequestSchema = z.object(fields)

export const legacyResponseSchema = z.object({
  ok: z.literal(true),
  outputs: z.string().describe('The new text, with its leading spaces.'),
})

export const legacyErrorSchema = z.object({
  ok: z.literal(false),
  traceback: z.string().describe('What was wrong, for a person (the original sent a Python traceback).'),
})

export const legacyModelsSchema = z.object({
  default: z.string().nullable(),
  families: z.array(z.object({ name: z.string(), models: z.array(z.string()) })),
  models: z.array(z.looseObject({ id: z.string(), displayName: z.string() })),
})

const queryParameters = Object.entries(fields).map(([name, schema]): OperationParameter => ({
  name,
  in: 'query',
  schema,
  description: schema.description ?? '',
}))

const common = {
  tag: legacyTag.name,
  error: legacyErrorSchema,
  errorStatuses: [400, 403, 404, 429, 502, 503],
}

const generated = {
  200: { description: 'The new text.', content: { 'application/json': legacyResponseSchema } },
}

export const legacyOperations: readonly Operation[] = [
  {
    ...common,
    id: 'legacyGenerate',
    method: 'post',
    path: '/api/v1/generate',
    summary: 'Continue a text',
    description: 'Parameters come as a form, in the query, or as JSON.',
    request: {
      'application/x-www-form-urlencoded': legacyRequestSchema,
      'application/json': legacyRequestSchema,
    },
    example: { inputs: 'Once upon a time', max_new_tokens: 16 },
    responses: generated,
  },
  {
    ...common,
    id: 'legacyGenerateByQuery',
    method: 'get',
    path: '/api/v1/generate',
    summary: 'Continue a text, parameters in the query',
    parameters: queryParameters,
    responses: generated,
  },
  {
    ...common,
    id: 'legacyModels',
    method: 'get',
    path: '/api/v1/models',
    summary: 'Models and their families, with the names of the config file',
    responses: { 200: { description: 'The models.', content: { 'application/json': legacyModelsSchema } } },
    errorStatuses: [],
  },
  {
    ...common,
    id: 'legacyWebSocket',
    method: 'get',
    path: '/api/v2/generate',
    summary: 'WebSocket: an inference session that lasts over several calls',
    description:
      'Send `{"type": "open_inference_session", "model": …, "max_length": …}`, answered by `{"ok": true}`; then any ' +
      'number of `{"type": "generate", "inputs": …, "max_new_tokens": …, "stop_sequence": …}`, each answered by one or ' +
      'more `{"ok": true, "outputs": …, "stop": …, "token_count": …}`. An error is `{"ok": false, "traceback": …}`. ' +
      'With `"resumable": true` in the first message the answer to it has an `id`, and all others a `seq`: when the ' +
      'socket is cut, `{"type": "resume", "id": …, "received": <seq>}` on a new one goes on after that message.',
    responses: { 101: { description: 'The connection is a WebSocket from now on.', content: {} } },
  },
]
