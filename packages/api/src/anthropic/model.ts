import { z } from 'zod'
import type { Immutable } from '../immutable.ts'

const tokens = z.int().nullable().describe('The context, once the model is loaded.')

/** A model as Anthropic's Models API describes it: for requests to `/v1/models` with the header `anthropic-version`. */
export const anthropicModelSchema = z.object({
  type: z.literal('model'),
  id: z.string(),
  display_name: z.string(),
  created_at: z.iso.datetime().describe('When this server started.'),
  capabilities: z.null(),
  max_input_tokens: tokens,
  max_tokens: tokens,
  lifecycle: z.literal('active'),
  line: z.null(),
  deprecated_at: z.null(),
  retires_at: z.null(),
})

export const anthropicModelListSchema = z.object({
  data: z.array(anthropicModelSchema),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
  has_more: z.boolean(),
})

/** The parameters of the list's address. */
export const anthropicModelQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(20),
  after_id: z.string().optional(),
  before_id: z.string().optional(),
})

export type AnthropicModel = Immutable<z.output<typeof anthropicModelSchema>>
export type AnthropicModelList = Immutable<z.output<typeof anthropicModelListSchema>>
export type AnthropicModelQuery = z.output<typeof anthropicModelQuerySchema>
