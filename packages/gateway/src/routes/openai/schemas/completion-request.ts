import { z } from 'zod'
import { text, tokenIds } from './primitives.ts'
import { ignoredFields, modelField, samplingFields } from './sampling-fields.ts'

const promptSchema = z
  // Token ids come first: they may be many, and an alternative takes note of every element that is not its own.
  .union([text, tokenIds, z.array(text).min(1).max(2048), z.array(tokenIds).min(1).max(2048)])
  .describe('A text, texts, the token ids of a text, or lists of token ids: one answer (or `n`) to each.')

/** Body of `POST /v1/completions`. */
export const completionRequestSchema = z.object({
  model: modelField,
  prompt: promptSchema,
  max_tokens: z
    .int()
    .min(0)
    .nullish()
    .describe(
      'Tokens of the answer at most; 0 with `echo` only scores the prompt. Default: the model’s, else 16.',
    ),
  ...samplingFields,
  echo: z
    .boolean()
    .nullish()
    .describe('Put the prompt in front of the answer; with `logprobs` its tokens are scored as well.'),
  logprobs: z
    .int()
    .min(0)
    .max(20)
    .nullish()
    .describe('Give the log probability of every token, and of this many most probable ones.'),
  best_of: z.int().min(1).max(128).nullish().describe('Only the same number as `n`.'),
  ...ignoredFields,
})

export type CompletionRequest = z.output<typeof completionRequestSchema>
export type CompletionPrompt = z.output<typeof promptSchema>
