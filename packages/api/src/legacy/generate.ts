import { z } from 'zod'
import {
  json,
  modelErrorStatuses,
  type Operation,
  type OperationParameter,
  type OperationTag,
} from '../operation.ts'
import { petalsSchema } from '../swarm/route.ts'

export const legacyTag: OperationTag = {
  name: 'API of the original chat.petals.dev',
  description: 'For its clients, unchanged. Use /v1 for new programs.',
}

/** Sampling and length, by the names of `transformers`. Clients of the original send numbers as text, too. */
export const legacySamplingFields = {
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
    .describe('Tokens of prompt and answer together; cut to the size of the context.'),
  max_new_tokens: z
    .int()
    .min(-1)
    .optional()
    .describe(
      'Tokens of the answer, cut to the free space of the context; -1: until the context is full. Takes precedence over ' +
        'max_length; one of the two is required.',
    ),
}

const fields = {
  model: z.string().optional().describe('Id or alias of a model. Default: the first one of this server.'),
  inputs: z.string().optional().describe('The text to continue.'),
  ...legacySamplingFields,
}

/** Parameters of `/api/v1/generate`. */
export const legacyRequestSchema = z.object(fields)

export const legacyResponseSchema = z.object({
  ok: z.literal(true),
  outputs: z.string().describe('The new text, with its leading spaces.'),
  model: z.string().optional().describe('The fallback that has answered, where the model could not.'),
  petals: petalsSchema.pick({ fallback: true }).optional().describe('With `model`: why it has answered.'),
})

/** Every error of the original's API, by HTTP and by WebSocket. */
export const legacyErrorSchema = z.object({
  ok: z.literal(false),
  traceback: z.string().describe('What was wrong, in words (the original sent a Python traceback).'),
})

export type LegacyResponse = z.output<typeof legacyResponseSchema>
export type LegacyErrorBody = z.output<typeof legacyErrorSchema>

const common = {
  tag: legacyTag.name,
  scope: 'legacy',
  path: '/api/v1/generate',
  responses: { 200: { description: 'The new text.', content: json(legacyResponseSchema) } },
  error: legacyErrorSchema,
  errorStatuses: modelErrorStatuses,
} as const

const queryParameters = Object.entries(fields).map(([name, schema]): OperationParameter => ({
  name,
  in: 'query',
  schema,
  description: schema.description ?? '',
}))

export const legacyGenerateOperations: readonly Operation[] = [
  {
    ...common,
    id: 'legacyGenerate',
    method: 'post',
    summary: 'Continue a text',
    description: 'Accepts the parameters as a form, in the query, or as JSON.',
    request: { 'application/x-www-form-urlencoded': legacyRequestSchema, ...json(legacyRequestSchema) },
    example: { inputs: 'Once upon a time', max_new_tokens: 16 },
  },
  {
    ...common,
    id: 'legacyGenerateByQuery',
    method: 'get',
    summary: 'Continue a text, with the parameters in the query',
    parameters: queryParameters,
  },
]
