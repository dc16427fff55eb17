import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { outputItemSchema } from './output-items.ts'

const anyObject = z.record(z.string(), z.unknown())

const usage = z.object({
  input_tokens: z.int(),
  input_tokens_details: z.object({
    cached_tokens: z.int().describe('The part of input_tokens that was already in the KV cache.'),
    cache_write_tokens: z.int().describe('Always 0.'),
  }),
  output_tokens: z.int(),
  output_tokens_details: z.object({ reasoning_tokens: z.int() }),
  total_tokens: z.int(),
})

const status = z
  .enum(['queued', 'in_progress', 'completed', 'incomplete', 'failed', 'cancelled'])
  .describe('incomplete: max_output_tokens or the context is used up.')

/** A response: the answer, and the request's settings. */
export const responseSchema = z.object({
  id: z.string(),
  object: z.literal('response'),
  created_at: z.int(),
  completed_at: z.int().nullable(),
  status,
  background: z.boolean(),
  error: z
    .object({ code: z.enum(['server_error', 'rate_limit_exceeded', 'invalid_prompt']), message: z.string() })
    .nullable(),
  frequency_penalty: z.number(),
  incomplete_details: z.object({ reason: z.enum(['max_output_tokens']) }).nullable(),
  instructions: z.string().nullable(),
  max_output_tokens: z.int().nullable(),
  max_tool_calls: z.null(),
  metadata: z.record(z.string(), z.string()),
  model: z.string(),
  output: z.array(outputItemSchema),
  parallel_tool_calls: z.boolean(),
  presence_penalty: z.number(),
  previous_response_id: z.string().nullable(),
  prompt_cache_key: z.string().nullable(),
  reasoning: z.object({ effort: z.string().nullable(), summary: z.null() }),
  safety_identifier: z.string().nullable(),
  service_tier: z.literal('default'),
  store: z.boolean(),
  temperature: z.number().nullable().describe('null: the default of the server behind this one.'),
  text: z.object({ format: anyObject, verbosity: z.string() }),
  tool_choice: z.union([z.string(), anyObject]),
  tools: z.array(anyObject).describe('The tools that the model was told of.'),
  top_logprobs: z.int(),
  top_p: z.number().nullable(),
  truncation: z.enum(['auto', 'disabled']),
  usage: usage.nullable(),
  user: z.null(),
})

/** Body of `DELETE /v1/responses/{response}`. */
export const deletedResponseSchema = z.object({
  id: z.string(),
  object: z.literal('response'),
  deleted: z.literal(true),
})

/** Body of `GET /v1/responses/{response}/input_items`. */
export const inputItemListSchema = z.object({
  object: z.literal('list'),
  data: z.array(anyObject).describe('Messages, calls and outputs, each with an `id`.'),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
  has_more: z.boolean(),
})

export type ResponseBody = Immutable<z.output<typeof responseSchema>>
export type ResponseUsage = NonNullable<ResponseBody['usage']>
export type DeletedResponse = z.output<typeof deletedResponseSchema>
export type InputItemList = Immutable<z.output<typeof inputItemListSchema>>
