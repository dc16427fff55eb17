import { type EmbeddingResponse, embeddingRequestSchema } from '@petals-chat/api'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { embedTexts } from '../../generation/embedding/embed-texts.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { unsupportedEmbeddingParameters } from './unsupported.ts'
import { newResponseHead } from './response/head.ts'

/** `POST /v1/embeddings`: texts as vectors of length 1. */
export const embeddingRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>().post('/v1/embeddings', async (c) => {
    const request = await parseRequest(c.req, embeddingRequestSchema, unsupportedEmbeddingParameters)
    const { spec, vectors, tokens } = await embedTexts(c, context, request)
    const { id, created } = newResponseHead('embd', spec, context.version)
    return c.json({
      id,
      object: 'list',
      created,
      data: vectors.map((vector, index) => ({
        object: 'embedding',
        index,
        embedding: request.encoding_format === 'base64' ? toBase64(vector) : [...vector],
      })),
      model: spec.id,
      usage: { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens },
    } satisfies EmbeddingResponse)
  })

function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}
