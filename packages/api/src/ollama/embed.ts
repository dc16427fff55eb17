import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { text } from '../openai/primitives.ts'
import { keepAliveField, modelFields, optionsField } from './options.ts'

/** Request body of `POST /api/embed`. */
export const ollamaEmbedRequestSchema = z.object({
  ...modelFields,
  input: z
    .union([text, z.array(text).max(2048)])
    .describe('A text, or texts. Empty texts can’t be embedded.'),
  truncate: z
    .boolean()
    .nullish()
    .meta({ default: true })
    .describe(
      'Default true: the end of an input that is longer than the context is left out. False: it is refused. A model of another server: that one decides.',
    ),
  dimensions: z
    .int()
    .min(1)
    .nullish()
    .describe(
      'Only the model’s own number of dimensions; of a model of another server, those that it can make.',
    ),
  options: optionsField,
  keep_alive: keepAliveField,
})

/** Request body of `POST /api/embeddings`, which `/api/embed` has replaced. */
export const ollamaEmbeddingsRequestSchema = z.object({
  ...modelFields,
  prompt: text.min(1).describe('A text.'),
  options: optionsField,
  keep_alive: keepAliveField,
})

export const ollamaEmbedResponseSchema = z.object({
  model: z.string(),
  embeddings: z
    .array(z.array(z.number()))
    .describe(
      'Vectors of length 1, one for each input; of a model of another server, as that one gives them.',
    ),
  total_duration: z.int().describe('Nanoseconds.'),
  load_duration: z.int().describe('Nanoseconds until the model was loaded.'),
  prompt_eval_count: z.int().describe('Tokens of all inputs.'),
})

export const ollamaEmbeddingsResponseSchema = z.object({
  embedding: z.array(z.number()).describe('A vector of length 1.'),
})

export type OllamaEmbedRequest = z.output<typeof ollamaEmbedRequestSchema>
export type OllamaEmbedResponse = Immutable<z.output<typeof ollamaEmbedResponseSchema>>
export type OllamaEmbeddingsResponse = Immutable<z.output<typeof ollamaEmbeddingsResponseSchema>>
