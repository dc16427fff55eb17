import { z } from 'zod'
import { formFields } from './answer-form.ts'
import { predictionSchema } from './prediction.ts'
import { text, tokenIds } from './primitives.ts'
import { modelField, samplingFields } from './sampling-fields.ts'

const promptSchema = z
  // Token ids come before lists of texts: there may be many, and an alternative records an issue for every element that does not fit.
  .union([text, tokenIds, z.array(text).min(1).max(2048), z.array(tokenIds).min(1).max(2048)])
  .describe('A text, texts, the token ids of a text, or lists of token ids; each gets one answer (or `n`).')

const limit = z.int().min(-2).nullish()

/** Request body of `POST /v1/completions`. */
export const completionRequestSchema = z.object({
  model: modelField,
  prompt: promptSchema,
  max_tokens: limit
    .meta({ default: 16 })
    .describe(
      'Maximum number of tokens of the answer, limited by the free space of the context; 0 with `echo` only scores the ' +
        'prompt; -1: until the model ends or the context is full. Default 16, or less if the model’s entry says so.',
    ),
  max_completion_tokens: limit.describe(
    'Name of max_tokens in chat completions, which takes precedence. Extension.',
  ),
  max_new_tokens: limit.describe(
    'Name in TGI and transformers for max_tokens, which takes precedence. Extension.',
  ),
  n_predict: limit.describe(
    'llama-server’s name for max_tokens; the other names take precedence. Extension.',
  ),
  ...samplingFields,
  ...formFields,
  prediction: predictionSchema.nullish(),
  echo: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('Put the prompt before the answer; with `logprobs`, score its tokens as well. Default false.'),
  logprobs: z
    .union([z.int().min(0).max(20), z.boolean()])
    .nullish()
    .describe(
      'Return the log probability of every token, and of this many of the most probable tokens; true is the same as 0, ' +
        'false asks for none. The end token of the model is scored as well; it has no text in the answer.',
    ),
  best_of: z.int().min(1).max(128).nullish().describe('Must equal `n`.'),
})

export type CompletionRequest = z.output<typeof completionRequestSchema>
export type CompletionPrompt = z.output<typeof promptSchema>
