import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { modelErrorStatuses, type Operation, type OperationTag } from '../operation.ts'

export const anthropicTag: OperationTag = {
  name: 'Anthropic-compatible API',
  description:
    'The Messages API that clients of Anthropic know: set their base URL to this server’s address (without /v1), and any ' +
    'API key. Fields without effect on the answer are ignored; fields that would change it and can’t be honoured, and ' +
    'unknown fields, are refused by name.',
}

/** Body of every refused or failed call of the Messages API, and the data of the event `error`. */
export const anthropicErrorSchema = z.object({
  type: z.literal('error'),
  error: z.object({
    type: z.enum([
      'invalid_request_error',
      'authentication_error',
      'permission_error',
      'not_found_error',
      'request_too_large',
      'rate_limit_error',
      'api_error',
      'overloaded_error',
    ]),
    message: z.string().describe('What was wrong, where, and what to do, in words.'),
    details: z
      .object({ error_code: z.literal('thread_unsupported_request'), unsupported: z.array(z.string()) })
      .optional()
      .describe('Only for a request with `thread`: clients then send the whole dialogue instead.'),
  }),
  request_id: z.string().describe('The id of the request in the server’s log.'),
})

export type AnthropicErrorBody = Immutable<z.output<typeof anthropicErrorSchema>>

type Given = Omit<Operation, 'tag' | 'error' | 'errorStatuses' | 'scope'>

/** An operation of the Messages API, with its error body. */
export const anthropicOperation = (operation: Given): Operation => ({
  tag: anthropicTag.name,
  scope: 'openai',
  error: anthropicErrorSchema,
  errorStatuses: modelErrorStatuses,
  ...operation,
})
