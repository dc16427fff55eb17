import { fromFloat16, toFloat16 } from '../half.ts'
import { bytesOf, floatTensor, tensorValues, uint16View } from '../tensor.ts'
import { encodedTensor, expectBytes, isIeee, readIeeeHeader, type TensorCodec } from './codec.ts'

const maxFloat16 = 65504

/** Clamps values to the range of float16, as hivemind's encoders do; otherwise they would become infinity. NaN stays. */
export const clampToFloat16 = (values: Float32Array): Float32Array =>
  values.map((value) => (value > maxFloat16 ? maxFloat16 : value < -maxFloat16 ? -maxFloat16 : value))

/** FLOAT16: two bytes for each value (`hivemind/compression/floating.py`). */
export const float16Codec: TensorCodec = {
  compression: 2,
  encode(tensor) {
    if (!isIeee(tensor.dtype)) throw new TypeError(`FLOAT16 compression does not take ${tensor.dtype}.`)
    return encodedTensor(tensor, 2, bytesOf(toFloat16(clampToFloat16(tensorValues(tensor)))))
  },
  decode(encoded) {
    const { shape, count, dtype } = readIeeeHeader(encoded)
    expectBytes(encoded, count * 2)
    if (dtype === 'float16') return { dtype, shape, data: encoded.buffer }
    return floatTensor(fromFloat16(uint16View(encoded.buffer)), shape)
  },
}
