import { ProtocolError } from '../../errors.ts'
import type { FloatDtype } from '../dtype.ts'
import { bytesOf, float32View, floatTensor, tensorValues, type Tensor } from '../tensor.ts'
import { encodedTensor, readFloatHeader, type EncodedTensor } from './codec.ts'

/** Number of entries that an 8-bit index can address. */
export const codebookSize = 256

/** Reads the int64 length of a table. @throws ProtocolError if it is more than `maximum`, the most that a valid tensor has */
export function readTableSize(buffer: Uint8Array, offset: number, maximum: number): number {
  if (buffer.byteLength < offset + 8) throw new ProtocolError('A quantized tensor ends within its header.')
  const size = new DataView(buffer.buffer, buffer.byteOffset + offset, 8).getBigInt64(0, true)
  if (size < 0n || size > BigInt(maximum)) {
    throw new ProtocolError(
      `A quantized tensor announces a table of ${size} entries; at most ${maximum} are possible.`,
    )
  }
  return Number(size)
}

export const tableSizeBytes = (size: number): Uint8Array => bytesOf(new BigInt64Array([BigInt(size)]))

/** @throws ProtocolError if an index points beyond the codebook. */
export function checkIndices(indices: Uint8Array, size: number): void {
  if (size >= codebookSize) return
  for (const index of indices) {
    if (index >= size)
      throw new ProtocolError(`A quantized value refers to entry ${index} of a codebook of ${size}.`)
  }
}

/** Decodes `int64 k ‖ float32 codebook[k] ‖ uint8 index[n]`, the format of both QUANTILE_8BIT and UNIFORM_8BIT. */
export function decodeCodebook(encoded: EncodedTensor): Tensor {
  const { shape, count, dtype } = readFloatHeader(encoded)
  const size = readTableSize(encoded.buffer, 0, codebookSize)
  const indicesStart = 8 + size * 4
  if (encoded.buffer.byteLength !== indicesStart + count) {
    throw new ProtocolError(`A quantized tensor of ${count} values has ${encoded.buffer.byteLength} bytes.`)
  }
  const codebook = roundTable(float32View(encoded.buffer.subarray(8, indicesStart)), dtype)
  const indices = encoded.buffer.subarray(indicesStart)
  checkIndices(indices, size)
  const values = new Float32Array(count)
  for (let i = 0; i < count; i++) values[i] = codebook[indices[i]!]!
  return floatTensor(values, shape, dtype)
}

/** Rounds the table to the tensor's type. */
const roundTable = (table: Float32Array, dtype: FloatDtype): Float32Array =>
  tensorValues(floatTensor(table, [table.length], dtype))

export function encodeCodebook(
  tensor: Tensor,
  compression: number,
  codebook: Float32Array,
  indices: Uint8Array,
): EncodedTensor {
  return encodedTensor(
    tensor,
    compression,
    Buffer.concat([tableSizeBytes(codebook.length), bytesOf(codebook), indices]),
  )
}

/** Returns the mean of the values in each bucket, 0 for an empty one. Sums in float32 and in order, as torch's scatter_add. */
export function averageBuckets(values: Float32Array, indices: Uint8Array): Float32Array {
  const sums = new Float32Array(codebookSize)
  const counts = new Uint32Array(codebookSize)
  for (let i = 0; i < values.length; i++) {
    const bucket = indices[i]!
    sums[bucket]! += values[i]!
    counts[bucket]!++
  }
  return sums.map((sum, bucket) => sum / Math.max(counts[bucket]!, 1))
}
