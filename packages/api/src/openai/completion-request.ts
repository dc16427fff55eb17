import { z } from 'zod'
import { formFields } from './answer-form.ts'
import { text, tokenIds } from './primitives.ts'
import { modelField, samplingFields } from './sampling-fields.ts'

const promptSchema = z
  // Token ids come first: they may be many, and an alternative takes note of every element that is not its own.
  .union([text, tokenIds, z.array(text).min(1).max(2048), z.array(tokenIds).min(1).max(2048)])
  .describe('A text, texts, the token ids of a text, or lists of token ids: one answer (or `n`) to each.')

const limit = z.int().min(-2).nullish()

/** Body of `POST /v1/completions`. */
export const completionRequestSchema = z.object({
  model: modelField,
  prompt: promptSchema,
  max_tokens: limit
    .meta({ default: 16 })
    .describe(
      'Tokens of the answer at most, within what the context has room for; 0 with `echo` only scores the prompt; -1: until ' +
        'the model ends or the context is full. Default 16, or less where the model says so.',
    ),
  max_completion_tokens: limit.describe('Its name in chat completions, which wins. Extension.'),
  max_new_tokens: limit.describe('Name of it at TGI and transformers; max_tokens wins. Extension.'),
  n_predict: limit.describe('llama-server’s name of it; the others win. Extension.'),
  ...samplingFields,
  ...formFields,
  echo: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe(
      'Put the prompt in front of the answer; with `logprobs` its tokens are scored as well. Default false.',
    ),
  logprobs: z
    .union([z.int().min(0).max(20), z.boolean()])
    .nullish()
    .describe(
      'Give the log probability of every token, and of this many most probable ones; true is the same as 0, false asks ' +
        'for nothing.',
    ),
  best_of: z.int().min(1).max(128).nullish().describe('Only the same number as `n`.'),
})

export type CompletionRequest = z.output<typeof completionRequestSchema>
export type CompletionPrompt = z.output<typeof promptSchema>
