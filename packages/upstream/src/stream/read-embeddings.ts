import { estimateInput, type RemoteEmbeddingRequest, type RemoteEmbeddings } from '@petals-chat/engine'
import { z } from 'zod'
import { StreamFault } from './event-reader.ts'

/** More numbers than any model's vector has. */
export const MAX_DIMENSIONS = 65_536
const FLOAT_BYTES = 4

const count = z.int().min(0)
/** Vectors are read apart: a schema would look at each of their numbers. */
const listSchema = z.object({
  data: z.array(z.object({ index: count.nullish(), embedding: z.unknown() })),
  usage: z.object({ prompt_tokens: count.nullish(), total_tokens: count.nullish() }).nullish(),
})

/**
 * Reads the body of an answer to a request for embeddings, with vectors as numbers or as base64.
 * @throws StreamFault unless it has one vector for each input, and all are of the same length
 */
export function readEmbeddings(
  body: unknown,
  { input }: Pick<RemoteEmbeddingRequest, 'input'>,
): RemoteEmbeddings {
  const found = lengthOf(body)
  if (found !== undefined && found !== input.length)
    throw new StreamFault(`sent ${found} embeddings for ${input.length} inputs`)
  const { data: list } = listSchema.safeParse(body)
  if (list === undefined) throw new StreamFault('sent an answer that is no list of embeddings')
  const { data, usage } = list
  const vectors = new Map(data.map(({ index, embedding }, place) => [index ?? place, toVector(embedding)]))
  const ordered = input.map((_, place) => vectors.get(place))
  const [first] = ordered
  if (!ordered.every((vector) => vector !== undefined))
    throw new StreamFault('sent embeddings whose numbers (index) are not those of the inputs')
  if (ordered.some(({ length }) => length !== first!.length))
    throw new StreamFault('sent embeddings of different lengths')
  return { vectors: ordered, usage: usageOf(usage?.prompt_tokens ?? usage?.total_tokens, input) }
}

/** Looked at before the schema, which reads each item. */
function lengthOf(body: unknown): number | undefined {
  const data = typeof body === 'object' && body !== null && 'data' in body ? body.data : undefined
  return Array.isArray(data) ? data.length : undefined
}

function usageOf(
  promptTokens: number | null | undefined,
  input: RemoteEmbeddingRequest['input'],
): RemoteEmbeddings['usage'] {
  if (promptTokens != null) return { promptTokens, isEstimated: false }
  const estimate = input.reduce((sum, one) => sum + estimateInput(one), 0)
  return { promptTokens: estimate, isEstimated: true }
}

/** @throws StreamFault */
function toVector(embedding: unknown): Float32Array {
  const vector = typeof embedding === 'string' ? fromBase64(embedding) : fromNumbers(embedding)
  if (vector === undefined || vector.length === 0 || vector.length > MAX_DIMENSIONS)
    throw new StreamFault(`sent an embedding that is not a list of 1 to ${MAX_DIMENSIONS} numbers`)
  if (!vector.every(Number.isFinite))
    throw new StreamFault('sent an embedding with a number that is not finite in 32 bits')
  return vector
}

function fromNumbers(embedding: unknown): Float32Array | undefined {
  if (!Array.isArray(embedding) || embedding.length > MAX_DIMENSIONS) return undefined
  return embedding.every((value) => typeof value === 'number') ? Float32Array.from(embedding) : undefined
}

/** 32-bit floats, little-endian. */
function fromBase64(embedding: string): Float32Array | undefined {
  const bytes = Buffer.from(embedding, 'base64')
  if (bytes.length % FLOAT_BYTES !== 0 || bytes.length > MAX_DIMENSIONS * FLOAT_BYTES) return undefined
  return Float32Array.from({ length: bytes.length / FLOAT_BYTES }, (_, place) =>
    bytes.readFloatLE(place * FLOAT_BYTES),
  )
}
