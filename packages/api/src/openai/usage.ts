import { z } from 'zod'

export const usageSchema = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({
    cached_tokens: z.int().describe('Part of prompt_tokens that was in the KV cache already.'),
  }),
})

/** Named after llama.cpp's; milliseconds. */
export const timingsSchema = z
  .object({
    queued_ms: z.number().describe('Waiting for a free session.'),
    cache_n: z.int().describe('Prompt tokens that were in the KV cache already.'),
    prompt_n: z.int().describe('Prompt tokens that were run.'),
    prompt_ms: z.number().describe('Until the first token of the answer.'),
    prompt_per_second: z.number(),
    predicted_n: z.int().describe('Tokens of the answer.'),
    predicted_ms: z.number().describe('From the first token of the answer to the last.'),
    predicted_per_second: z.number().describe('Tokens after the first, over predicted_ms.'),
  })
  .describe('Extension.')

export type UsageBody = z.output<typeof usageSchema>
export type TimingsBody = z.output<typeof timingsSchema>
