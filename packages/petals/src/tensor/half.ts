/**
 * Conversions of float16 and bfloat16, rounded to nearest even as in PyTorch. Bit patterns are held in Uint16Array.
 * Typed arrays are little-endian on every platform that Node runs on, as is the wire.
 */

const scratchFloat = new Float32Array(1)
const scratchBits = new Uint32Array(scratchFloat.buffer)

/** PyTorch's bit pattern of NaN, without the sign. */
const float16Nan = 0x7e00
const bfloat16Nan = 0x7fc0

/** Divides `bits` by 2^shift, rounding to nearest, ties to even. Exact for bits < 2^31. */
function roundShift(bits: number, shift: number): number {
  const half = (1 << (shift - 1)) - 1
  return (bits + half + ((bits >>> shift) & 1)) >>> shift
}

function float16FromBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | float16Nan
  if (magnitude >= 0x477ff000) return sign | 0x7c00 // rounds to more than 65504: infinity
  if (magnitude >= 0x38800000) return sign | roundShift(magnitude - 0x38000000, 13) // normal, exponent bias 127 to 15
  if (magnitude < 0x33000000) return sign // less than half of the smallest subnormal
  const shift = 126 - (magnitude >>> 23)
  return sign | roundShift((magnitude & 0x7fffff) | 0x800000, shift)
}

/** Converts float32 to IEEE float16. Values that are too large become infinity. */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < halves.length; i++) halves[i] = float16FromBits(bits[i]!)
  return halves
}

function float16Value(half: number): number {
  const exponent = (half >>> 10) & 0x1f
  const fraction = half & 0x3ff
  const sign = half & 0x8000 ? -1 : 1
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

let float16Table: Float32Array | undefined

/** Converts float16 to float32, exactly. A table of all 65536 values (256 KiB, made on first use) is six times faster than arithmetic. */
export function fromFloat16(halves: Uint16Array): Float32Array {
  float16Table ??= Float32Array.from({ length: 65536 }, (_, half) => float16Value(half))
  const values = new Float32Array(halves.length)
  for (let i = 0; i < values.length; i++) values[i] = float16Table[halves[i]!]!
  return values
}

/** Converts float32 to bfloat16, which is the upper half of its bits, rounded. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < halves.length; i++) {
    const value = bits[i]!
    const isNan = (value & 0x7fffffff) > 0x7f800000
    halves[i] = isNan ? bfloat16Nan : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16
  }
  return halves
}

/** Converts bfloat16 to float32, exactly. */
export function fromBfloat16(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length)
  for (let i = 0; i < bits.length; i++) bits[i] = halves[i]! << 16
  return new Float32Array(bits.buffer)
}

/** Rounds a value to float16, as arithmetic in that type does. */
export function roundToFloat16(value: number): number {
  scratchFloat[0] = value
  return float16Value(float16FromBits(scratchBits[0]!))
}
