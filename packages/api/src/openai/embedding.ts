import { z } from 'zod'
import { json, type Operation } from '../operation.ts'
import { openaiOperation } from './openai-operation.ts'
import { text, tokenIds } from './primitives.ts'
import { modelField } from './sampling-fields.ts'

/** Request body of `POST /v1/embeddings`. */
export const embeddingRequestSchema = z.object({
  model: modelField,
  input: z
    .union([text.min(1), z.array(text.min(1)).min(1).max(2048), tokenIds, z.array(tokenIds).min(1).max(2048)])
    .describe('A text, texts, the token ids of a text, or lists of token ids.'),
  encoding_format: z
    .enum(['float', 'base64'])
    .nullish()
    .meta({ default: 'float' })
    .describe('base64: the bytes of 32-bit floats, little-endian. Default float.'),
  dimensions: z
    .int()
    .min(1)
    .nullish()
    .describe(
      'Only the model’s own number of dimensions; of a model of another server, those that it can make.',
    ),
})

export const embeddingResponseSchema = z.object({
  id: z.string().describe('As in vLLM and Mistral.'),
  created: z.int(),
  object: z.literal('list'),
  data: z.array(
    z.object({
      object: z.literal('embedding'),
      index: z.int(),
      embedding: z
        .union([z.array(z.number()), z.string()])
        .describe('L2 norm 1; of a model of another server, as that one gives it.'),
    }),
  ),
  model: z.string(),
  usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.literal(0), total_tokens: z.int() }),
})

export type EmbeddingRequest = z.output<typeof embeddingRequestSchema>
export type EmbeddingResponse = z.output<typeof embeddingResponseSchema>

export const createEmbedding: Operation = openaiOperation({
  id: 'createEmbedding',
  method: 'post',
  path: '/v1/embeddings',
  summary: 'Embed texts',
  request: json(embeddingRequestSchema),
  example: { input: 'A text to compare with others' },
  responses: { 200: { description: 'One vector for each input.', content: json(embeddingResponseSchema) } },
})
