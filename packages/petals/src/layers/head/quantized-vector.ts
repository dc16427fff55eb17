/** Columns that share a scale. */
export const blockColumns = 32
/** A block is its scale in half precision, and a code in a byte for each column: ggml's type Q8_0 (ggml-common.h). */
export const blockBytes = 2 + blockColumns

/** Codes are -127 … 127: kernels multiply signed bytes whose sign they have taken off, which -128 does not survive. */
const largestCode = 127

/** Columns come in whole blocks; the last one may have some more, which are zeros. */
export const blocksOf = (columns: number): number => Math.ceil(columns / blockColumns)

/** Bytes of a vector of so many columns. */
export const vectorBytes = (columns: number): number => blocksOf(columns) * blockBytes

/** What is known of a quantized vector: v̂ = unit · scale · code. */
export interface QuantizedVector {
  /** A power of two, so that multiplying by it rounds nothing. */
  readonly unit: number
  /** ‖v - v̂‖²; NaN if v is not finite. */
  readonly squaredError: number
  /** ‖v̂‖² */
  readonly squaredNorm: number
}

/**
 * Quantizes a vector to blocks of Q8_0, as ggml multiplies them. Scales are in half precision, whose range is small, so they
 * count a unit of the vector: the largest one is near 2^13. Those of 2^-14 and less would be subnormal, which processors may
 * take for zero. Such blocks are zeros; their values are below 2^-26 of the largest.
 */
export function quantize(values: Float32Array, target: Uint8Array): QuantizedVector {
  const blocks = new Int8Array(target.buffer, target.byteOffset, vectorBytes(values.length))
  const most = largest(values, 0, values.length)
  if (most === Infinity) return blank(blocks)
  const unit = unitOf(most)
  let [squaredError, squaredNorm] = [0, 0]
  for (let start = 0, at = 0; start < values.length; start += blockColumns, at += blockBytes) {
    const end = Math.min(start + blockColumns, values.length)
    const half = halfAbove(largest(values, start, end) / unit / largestCode)
    target[at] = half & 0xff
    target[at + 1] = half >>> 8
    const step = valueOfHalf(half) * unit
    const factor = step > 0 ? 1 / step : 0
    let squares = 0
    for (let i = start, place = at + 2; i < end; i++, place++) {
      const value = values[i]!
      // Rounds half up, since all numbers are positive. The clamp is for what rounding adds to 127.
      const shifted = (value * factor + largestCode + 0.5) | 0
      const code = shifted > 2 * largestCode ? largestCode : shifted - largestCode
      const difference = value - code * step
      blocks[place] = code
      squares += code * code
      squaredError += difference * difference
    }
    if (end - start < blockColumns) blocks.fill(0, at + 2 + end - start, at + blockBytes)
    squaredNorm += squares * step * step
  }
  // A NaN is in the sum of the errors, and in no other place.
  return Number.isNaN(squaredError) ? blank(blocks) : { unit, squaredError, squaredNorm }
}

/** Numbers that are not finite have no product with anything. All codes are 0, and the error says that nothing is known. */
function blank(blocks: Int8Array): QuantizedVector {
  blocks.fill(0)
  return { unit: 1, squaredError: NaN, squaredNorm: 0 }
}

/** The smallest power of two that float32 has. */
const smallestUnit = 2 ** -149

/** Returns a power of two that is about 2^20 times smaller than `most`. */
const unitOf = (most: number): number =>
  most > 0 ? Math.max(2 ** (Math.floor(Math.log2(most)) - 20), smallestUnit) : 1

const scratch = new Float32Array(1)
const word = new Uint32Array(scratch.buffer)

/** Between the exponents of single and half precision. */
const exponentOffset = 112 << 10

/** Returns the bits of the smallest half-precision number that is not below `value`, a positive float32; 0 for subnormal ones. */
function halfAbove(value: number): number {
  scratch[0] = value
  const half = ((word[0]! + 0x1fff) >>> 13) - exponentOffset
  return half < 0x400 ? 0 : half
}

function valueOfHalf(half: number): number {
  if (half === 0) return 0
  word[0] = (half + exponentOffset) << 13
  return scratch[0]!
}

/** Returns the scale of the block that begins at `place`. */
export const scaleAt = (bytes: Uint8Array, place: number): number =>
  valueOfHalf(bytes[place]! | (bytes[place + 1]! << 8))

/** Returns the largest magnitude in [start, end), apart from NaN. */
function largest(values: Float32Array, start: number, end: number): number {
  let most = 0
  for (let i = start; i < end; i++) {
    const size = Math.abs(values[i]!)
    if (size > most) most = size
  }
  return most
}
