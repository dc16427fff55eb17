import { z } from 'zod'
import { petalsSchema } from '../swarm/route.ts'
import { timingsSchema, usageSchema } from './usage.ts'

export const completionLogprobsSchema = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()).describe('Null for the first token of an echoed prompt.'),
  top_logprobs: z
    .array(z.record(z.string(), z.number()).nullable())
    .nullable()
    .describe('The token itself is always included, so there may be one more than requested.'),
  text_offset: z.array(z.int()).describe('Where each token starts in `text`, in characters (code points).'),
})

const choiceFields = { index: z.int(), text: z.string(), logprobs: completionLogprobsSchema.nullable() }

const finishReason = z.enum(['stop', 'length'])

const head = {
  id: z.string(),
  object: z.literal('text_completion'),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string(),
}

/** Response body of `POST /v1/completions`. The choices of prompt i are i·n … i·n + n - 1. */
export const completionResponseSchema = z.object({
  ...head,
  choices: z.array(z.object({ ...choiceFields, finish_reason: finishReason })),
  usage: usageSchema,
  timings: timingsSchema,
  petals: petalsSchema.optional(),
})

/** One event of a streamed answer. */
export const completionChunkSchema = z.object({
  ...head,
  choices: z.array(z.object({ ...choiceFields, finish_reason: finishReason.nullable() })),
  usage: usageSchema.nullish(),
  timings: timingsSchema.optional(),
  petals: petalsSchema.optional(),
})

export type CompletionResponse = z.output<typeof completionResponseSchema>
export type CompletionChoice = CompletionResponse['choices'][number]
export type CompletionLogprobs = z.output<typeof completionLogprobsSchema>
