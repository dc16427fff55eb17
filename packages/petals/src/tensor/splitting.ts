import { ProtocolError } from '../errors.ts'
import type { EncodedTensor } from './codecs/codec.ts'

/** Bytes of one part, as in Petals (`hivemind/utils/streaming.py`). */
export const defaultPartBytes = 4 * 2 ** 20

/** Bytes that joined parts may have, at most, unless the caller sets another limit. */
const defaultMaxBytes = 2 ** 30

/** Splits a tensor for a streaming call. The first part has the type, size and number of parts, the others have only bytes. */
export function* splitTensor(tensor: EncodedTensor, partBytes = defaultPartBytes): Generator<EncodedTensor> {
  const { buffer } = tensor
  yield { ...tensor, buffer: buffer.subarray(0, partBytes), chunks: Math.ceil(buffer.byteLength / partBytes) }
  for (let start = partBytes; start < buffer.byteLength; start += partBytes) {
    yield {
      buffer: buffer.subarray(start, start + partBytes),
      size: [],
      dtype: '',
      compression: 0,
      chunks: 0,
    }
  }
}

/** Joins a sequence of parts into tensors: a part with a type begins the next tensor. @throws ProtocolError */
export function* joinTensors(
  parts: Iterable<EncodedTensor>,
  maxBytes = defaultMaxBytes,
): Generator<EncodedTensor> {
  let first: EncodedTensor | undefined
  let buffers: Uint8Array[] = []
  let byteLength = 0
  for (const part of parts) {
    if (part.dtype !== '') {
      if (first) yield { ...first, buffer: Buffer.concat(buffers) }
      first = part
      buffers = []
      byteLength = 0
    }
    byteLength += part.buffer.byteLength
    if (!first) throw new ProtocolError('The first part of a tensor is missing: this part has no type.')
    if (byteLength > maxBytes) throw new ProtocolError(`A tensor in parts has more than ${maxBytes} bytes.`)
    buffers.push(part.buffer)
  }
  if (first) yield { ...first, buffer: Buffer.concat(buffers) }
}
