import { z } from 'zod'
import { text, tokenIds } from './primitives.ts'
import { modelField } from './sampling-fields.ts'

/** Body of `POST /v1/embeddings`. */
export const embeddingRequestSchema = z.object({
  model: modelField,
  input: z
    .union([text.min(1), z.array(text.min(1)).min(1).max(2048), tokenIds, z.array(tokenIds).min(1).max(2048)])
    .describe('A text, texts, the token ids of a text, or lists of token ids.'),
  encoding_format: z
    .enum(['float', 'base64'])
    .nullish()
    .meta({ default: 'float' })
    .describe('base64: the bytes of little-endian 32-bit floats. Default float.'),
  dimensions: z.int().min(1).nullish().describe('Only the model’s own number of dimensions.'),
})

export const embeddingResponseSchema = z.object({
  id: z.string().describe('As at vLLM and Mistral.'),
  created: z.int(),
  object: z.literal('list'),
  data: z.array(
    z.object({
      object: z.literal('embedding'),
      index: z.int(),
      embedding: z.union([z.array(z.number()), z.string()]).describe('L2 norm 1.'),
    }),
  ),
  model: z.string(),
  usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.literal(0), total_tokens: z.int() }),
})

export type EmbeddingRequest = z.output<typeof embeddingRequestSchema>
export type EmbeddingResponse = z.output<typeof embeddingResponseSchema>
