import { z } from 'zod'

export const usageSchema = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({
    cached_tokens: z.int().describe('The part of prompt_tokens that was already in the KV cache.'),
  }),
  completion_tokens_details: z
    .object({
      accepted_prediction_tokens: z
        .int()
        .describe('Tokens of the answer that had been guessed in advance, so that one step brought several.'),
      rejected_prediction_tokens: z
        .int()
        .describe('Guesses that were wrong. They are no part of completion_tokens.'),
    })
    .optional()
    .describe('Where the engine of the model guesses tokens: a swarm.'),
})

/** Times in milliseconds, with the names of llama.cpp. */
export const timingsSchema = z
  .object({
    queued_ms: z.number().describe('Time in the queue for a free session.'),
    cache_n: z.int().describe('Prompt tokens that were already in the KV cache.'),
    prompt_n: z.int().describe('Prompt tokens that were run.'),
    prompt_ms: z.number().describe('Time until the first token of the answer.'),
    prompt_per_second: z.number(),
    predicted_n: z.int().describe('Tokens of the answer.'),
    predicted_ms: z.number().describe('From the first token of the answer to the last.'),
    predicted_per_second: z.number().describe('Tokens after the first, over predicted_ms.'),
  })
  .describe('Extension.')

export type UsageBody = z.output<typeof usageSchema>
export type TimingsBody = z.output<typeof timingsSchema>
