import { isFloatDtype } from '../dtype.ts'
import { tensorValues } from '../tensor.ts'
import type { TensorCodec } from './codec.ts'
import { averageBuckets, codebookSize, decodeCodebook, encodeCodebook } from './codebook.ts'

/** Values in one chunk, at least. The quantiles of a longer tensor are estimated by the quantiles of its chunks' quantiles. */
const minChunkSize = 100_000

/** Returns the size of a chunk as hivemind's get_chunk_size: the remainder is spread over the chunks. */
function chunkSize(count: number): number {
  if (minChunkSize >= count) return minChunkSize
  const chunks = Math.floor(count / minChunkSize)
  return minChunkSize + Math.floor(((count % minChunkSize) - 1) / chunks) + 1
}

/** Returns equally spaced probabilities from 0 to 1, as numpy's linspace in float32. */
const probabilities = (count: number): Float32Array => {
  const step = 1 / (count - 1)
  const values = Float32Array.from({ length: count }, (_, i) => i * step)
  values[count - 1] = 1
  return values
}

/** Interpolates between a and b as numpy does: in float32, from the nearer end. */
function interpolate(a: number, b: number, t: number): number {
  const difference = Math.fround(b - a)
  return t >= 0.5
    ? Math.fround(b - Math.fround(difference * Math.fround(1 - t)))
    : Math.fround(a + Math.fround(difference * t))
}

/** Returns np.quantile of float32 data at float32 probabilities, where positions are rounded to float32, too. */
function quantiles(values: Float32Array, at: Float32Array): Float32Array {
  const sorted = values.slice().sort()
  const last = sorted.length - 1
  return at.map((probability) => {
    const position = Math.fround(last * probability)
    const below = Math.min(Math.floor(position), last)
    return interpolate(sorted[below]!, sorted[Math.min(below + 1, last)]!, Math.fround(position - below))
  })
}

function approximateQuantiles(values: Float32Array, count: number): Float32Array {
  const at = probabilities(count)
  const size = chunkSize(values.length)
  const partial: number[] = []
  for (let start = 0; start < values.length; start += size) {
    partial.push(...quantiles(values.subarray(start, start + size), at))
  }
  return quantiles(Float32Array.from(partial), at)
}

/** Returns the index of the first border that is not below the value, as torch.bucketize. */
function bucketOf(borders: Float32Array, value: number): number {
  let low = 0
  let high = borders.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (borders[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

/** QUANTILE_8BIT: 256 bins with about the same number of values, each decoded to its mean (`hivemind/compression/quantization.py`). */
export const quantile8BitCodec: TensorCodec = {
  compression: 3,
  encode(tensor) {
    if (!isFloatDtype(tensor.dtype))
      throw new TypeError(`QUANTILE_8BIT compression does not take ${tensor.dtype}.`)
    const values = tensorValues(tensor)
    if (values.length === 0) throw new TypeError('QUANTILE_8BIT compression needs at least one value.')
    const borders = approximateQuantiles(values, codebookSize + 1).subarray(1, -1)
    const indices = Uint8Array.from(values, (value) => bucketOf(borders, value))
    return encodeCodebook(tensor, 3, averageBuckets(values, indices), indices)
  },
  decode: decodeCodebook,
}
