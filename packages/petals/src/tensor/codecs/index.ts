import { ProtocolError } from '../../errors.ts'
import type { Tensor } from '../tensor.ts'
import { blockwise8BitCodec } from './blockwise-8bit.ts'
import type { EncodedTensor, TensorCodec } from './codec.ts'
import { float16Codec } from './float16.ts'
import { meanStd16BitCodec } from './meanstd-16bit.ts'
import { noneCodec } from './none.ts'
import { quantile8BitCodec } from './quantile-8bit.ts'
import { uniform8BitCodec } from './uniform-8bit.ts'

/** hivemind's compressions by their number on the wire (`CompressionType` in `hivemind/proto/runtime.proto`). */
const codecs: ReadonlyMap<number, TensorCodec> = new Map(
  [noneCodec, meanStd16BitCodec, float16Codec, quantile8BitCodec, uniform8BitCodec, blockwise8BitCodec].map(
    (codec) => [codec.compression, codec],
  ),
)

export const compressions = {
  none: 0,
  meanStd16Bit: 1,
  float16: 2,
  quantile8Bit: 3,
  uniform8Bit: 4,
  blockwise8Bit: 5,
} as const

export type Compression = (typeof compressions)[keyof typeof compressions]

/** Encodes a tensor for the wire. @throws TypeError if this compression does not take tensors of this type */
export const encodeTensor = (tensor: Tensor, compression: Compression = compressions.none): EncodedTensor =>
  codecs.get(compression)!.encode(tensor)

/** Decodes a tensor from the wire. @throws ProtocolError if its type, size and buffer don't agree */
export function decodeTensor(encoded: EncodedTensor): Tensor {
  const codec = codecs.get(encoded.compression)
  if (!codec) throw new ProtocolError(`Unknown tensor compression ${encoded.compression}.`)
  return codec.decode(encoded)
}
