import { isFloatDtype, type FloatDtype } from '../dtype.ts'
import { floatTensor, tensorValues } from '../tensor.ts'
import type { TensorCodec } from './codec.ts'
import { averageBuckets, codebookSize, decodeCodebook, encodeCodebook } from './codebook.ts'

/** The bins cover mean ± 3 standard deviations. */
const rangeInSigmas = 6

const roundTo = (value: number, dtype: FloatDtype): number =>
  tensorValues(floatTensor(Float32Array.of(value), [1], dtype))[0]!

/** Rounds to the nearest integer, ties to even, as C's nearbyint. */
function roundHalfEven(value: number): number {
  const rounded = Math.round(value)
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}

function quantize(values: Float32Array, shift: number): Uint8Array {
  const centred = values.map((value) => value - shift)
  let squares = 0
  for (const value of centred) squares += value * value
  const std = Math.fround(Math.fround(Math.sqrt(squares)) / Math.fround(Math.sqrt(values.length - 1)))
  const scale = Math.fround(Math.fround(rangeInSigmas * std) / codebookSize)
  const inverse = Math.fround(1 / scale)
  return Uint8Array.from(centred, (value) => {
    const bin = roundHalfEven(Math.fround(value * inverse)) + codebookSize / 2
    return Math.min(Math.max(bin, 0), codebookSize - 1)
  })
}

/** UNIFORM_8BIT: 256 equal bins around the mean, each decoded to the mean of its values (`hivemind/compression/quantization.py`). */
export const uniform8BitCodec: TensorCodec = {
  compression: 4,
  encode(tensor) {
    if (!isFloatDtype(tensor.dtype))
      throw new TypeError(`UNIFORM_8BIT compression does not take ${tensor.dtype}.`)
    const values = tensorValues(tensor)
    if (values.length < 2) throw new TypeError('UNIFORM_8BIT compression needs at least two values.')
    let sum = 0
    for (const value of values) sum += value
    const indices = quantize(values, roundTo(sum / values.length, tensor.dtype))
    return encodeCodebook(tensor, 4, averageBuckets(values, indices), indices)
  },
  decode: decodeCodebook,
}
