import { ProtocolError } from '../../errors.ts'
import { fromFloat16, roundToFloat16, toFloat16 } from '../half.ts'
import { bytesOf, elementCount, float32View, floatTensor, tensorValues, uint16View } from '../tensor.ts'
import { clampToFloat16 } from './float16.ts'
import { encodedTensor, expectBytes, isIeee, readIeeeHeader, type TensorCodec } from './codec.ts'

/** torch.finfo(torch.float32).eps: the least standard deviation of a row. */
const float32Epsilon = 2 ** -23

/** Returns a row's mean and its (biased) standard deviation, each a float32. Centres `row` in place. */
function centreRow(row: Float32Array): { readonly mean: number; readonly std: number } {
  let sum = 0
  for (const value of row) sum += value
  const mean = Math.fround(sum / row.length)
  let squares = 0
  for (let i = 0; i < row.length; i++) {
    row[i]! -= mean
    squares += row[i]! ** 2
  }
  const std = Math.fround(Math.fround(Math.sqrt(squares)) / Math.fround(Math.sqrt(row.length)))
  return { mean, std: Math.max(std, float32Epsilon) }
}

/**
 * MEANSTD_16BIT: each row (last axis) scaled to mean 0 and deviation 1, as float16; then the means and the deviations
 * (`hivemind/compression/floating.py`). Sums are float64: the last bit of hivemind's own means depends on the vector width of
 * the processor.
 */
export const meanStd16BitCodec: TensorCodec = {
  compression: 1,
  encode(tensor) {
    if (!isIeee(tensor.dtype)) throw new TypeError(`MEANSTD_16BIT compression does not take ${tensor.dtype}.`)
    const values = tensorValues(tensor).slice()
    const rowLength = tensor.shape.at(-1)
    if (rowLength === undefined || rowLength === 0)
      throw new TypeError('MEANSTD_16BIT compression needs a last axis.')
    const rows = values.length / rowLength
    const means = new Float32Array(rows)
    const stds = new Float32Array(rows)
    for (let r = 0; r < rows; r++) {
      const row = values.subarray(r * rowLength, (r + 1) * rowLength)
      const { mean, std } = centreRow(row)
      means[r] = mean
      stds[r] = std
      for (let i = 0; i < row.length; i++) row[i]! /= std
    }
    const buffer = Buffer.concat([bytesOf(toFloat16(clampToFloat16(values))), bytesOf(means), bytesOf(stds)])
    return encodedTensor(tensor, 1, buffer)
  },
  decode(encoded) {
    const { shape, count, dtype } = readIeeeHeader(encoded)
    const rowLength = shape.at(-1)
    if (!rowLength) throw new ProtocolError('A MEANSTD_16BIT tensor needs a last axis.')
    const rows = elementCount(shape.slice(0, -1))
    expectBytes(encoded, count * 2 + rows * 8)
    const values = fromFloat16(uint16View(encoded.buffer.subarray(0, count * 2)))
    const means = float32View(encoded.buffer.subarray(count * 2, count * 2 + rows * 4))
    const stds = float32View(encoded.buffer.subarray(count * 2 + rows * 4))
    // hivemind multiplies, then adds, in the tensor's own type: two roundings.
    const round = dtype === 'float16' ? roundToFloat16 : Math.fround
    for (let r = 0; r < rows; r++) {
      for (let i = r * rowLength; i < (r + 1) * rowLength; i++) {
        values[i] = round(round(values[i]! * stds[r]!) + means[r]!)
      }
    }
    return floatTensor(values, shape, dtype)
  },
}
