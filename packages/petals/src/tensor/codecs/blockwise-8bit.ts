import { ProtocolError } from '../../errors.ts'
import { isFloatDtype } from '../dtype.ts'
import { bytesOf, float32View, floatTensor, tensorValues } from '../tensor.ts'
import { encodedTensor, readFloatHeader, type TensorCodec } from './codec.ts'
import { checkIndices, codebookSize, readTableSize, tableSizeBytes } from './codebook.ts'

/** Values that share one scale (`hivemind/compression/quantization.py`). */
const blockSize = 4096

/** Returns torch.linspace(0.1, 1, count) in float32, which counts a rounded step from the nearer end. */
function linspace(count: number): Float32Array {
  const start = Math.fround(0.1)
  const step = Math.fround(Math.fround(1 - start) / (count - 1))
  return Float32Array.from({ length: count }, (_, i) =>
    i < count / 2 ? start + step * i : 1 - step * (count - i - 1),
  )
}

/** Returns bitsandbytes' signed dynamic map (`create_dynamic_map`): 7 decades, each with twice the fractions of the one below. */
function dynamicMap(): Float32Array {
  const decades = 7
  const values = [0, 1]
  for (let decade = 0; decade < decades; decade++) {
    const borders = linspace(2 ** decade + 1)
    for (let i = 0; i + 1 < borders.length; i++) {
      const mean = Math.fround(Math.fround(borders[i]! + borders[i + 1]!) / 2)
      const value = Math.fround(Math.fround(10 ** (decade - decades + 1)) * mean)
      values.push(value, -value)
    }
  }
  const codebook = Float32Array.from(values).sort()
  codebook[0] = -1 // bitsandbytes' CPU code overwrites the lowest entry before it quantizes
  return codebook
}

let dynamicCodebook: Float32Array | undefined

/** Returns the entry nearest to `value`; of two equally near ones, the lower, as bitsandbytes' CPU code does. */
function nearestEntry(codebook: Float32Array, value: number): number {
  let low = 0
  let high = codebook.length - 1
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (codebook[middle]! > value) high = middle
    else low = middle
  }
  const fromLow = Math.abs(Math.fround(codebook[low]! - value))
  const fromHigh = Math.abs(Math.fround(codebook[high]! - value))
  return fromHigh < fromLow ? high : low
}

function largestMagnitude(values: Float32Array): number {
  let largest = 0
  for (const value of values) largest = Math.max(largest, Math.abs(value))
  return largest
}

/** BLOCKWISE_8BIT: `int64 blocks ‖ int64 k ‖ float32 absmax[blocks] ‖ float32 codebook[k] ‖ uint8 index[n]`. */
export const blockwise8BitCodec: TensorCodec = {
  compression: 5,
  encode(tensor) {
    if (!isFloatDtype(tensor.dtype))
      throw new TypeError(`BLOCKWISE_8BIT compression does not take ${tensor.dtype}.`)
    const codebook = (dynamicCodebook ??= dynamicMap())
    const values = tensorValues(tensor)
    const absmax = new Float32Array(Math.ceil(values.length / blockSize))
    const indices = new Uint8Array(values.length)
    for (let block = 0; block < absmax.length; block++) {
      const start = block * blockSize
      const scale = largestMagnitude(values.subarray(start, start + blockSize))
      absmax[block] = scale
      for (let i = start; i < Math.min(start + blockSize, values.length); i++) {
        indices[i] = nearestEntry(codebook, Math.fround(values[i]! / scale))
      }
    }
    const sizes = [tableSizeBytes(absmax.length), tableSizeBytes(codebook.length)]
    return encodedTensor(tensor, 5, Buffer.concat([...sizes, bytesOf(absmax), bytesOf(codebook), indices]))
  },
  decode(encoded) {
    const { shape, count, dtype } = readFloatHeader(encoded)
    const blocks = readTableSize(encoded.buffer, 0, Math.ceil(count / blockSize))
    const size = readTableSize(encoded.buffer, 8, codebookSize)
    const codebookStart = 16 + blocks * 4
    const indicesStart = codebookStart + size * 4
    if (blocks !== Math.ceil(count / blockSize) || encoded.buffer.byteLength !== indicesStart + count) {
      throw new ProtocolError(`A blockwise tensor of ${count} values has ${encoded.buffer.byteLength} bytes.`)
    }
    const absmax = float32View(encoded.buffer.subarray(16, codebookStart))
    const codebook = float32View(encoded.buffer.subarray(codebookStart, indicesStart))
    const indices = encoded.buffer.subarray(indicesStart)
    checkIndices(indices, size)
    const values = new Float32Array(count)
    for (let i = 0; i < count; i++) values[i] = codebook[indices[i]!]! * absmax[Math.floor(i / blockSize)]!
    return floatTensor(values, shape, dtype)
  },
}
