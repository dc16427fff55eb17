import { bytesOf, float32View } from '../tensor.ts'
import { dtypeSize } from '../dtype.ts'
import { toBfloat16 } from '../half.ts'
import { encodedTensor, expectBytes, readHeader, type TensorCodec } from './codec.ts'

/**
 * The values as they are. bfloat16 is sent as 2 bytes a value; 4 bytes (float32 values, "legacy" hivemind without
 * Petals) are understood, told apart by the buffer's length.
 */
export const noneCodec: TensorCodec = {
  compression: 0,
  encode: (tensor) => encodedTensor(tensor, 0, tensor.data),
  decode(encoded) {
    const { shape, count, dtype } = readHeader(encoded)
    if (dtype === 'bfloat16' && count > 0 && encoded.buffer.byteLength === count * 4) {
      return { dtype, shape, data: bytesOf(toBfloat16(float32View(encoded.buffer))) }
    }
    expectBytes(encoded, count * dtypeSize(dtype))
    return { dtype, shape, data: encoded.buffer }
  },
}
