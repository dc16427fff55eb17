import { bytesOf, float32View } from '../tensor.ts'
import { dtypeSize } from '../dtype.ts'
import { toBfloat16 } from '../half.ts'
import { encodedTensor, expectBytes, readHeader, type TensorCodec } from './codec.ts'

/**
 * NONE: the values without compression (`hivemind/compression/base.py`). A bfloat16 value is sent in 2 bytes. 4 bytes
 * (float32 values of the "legacy" format of hivemind without Petals) are accepted, too; the length of the buffer tells which.
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
