const scratch = new Float32Array(1)
const bits = new Uint32Array(scratch.buffer)

/** −∞ as an IEEE half. */
export const minusInfinity = 0xfc00

/** Returns the bits of the nearest half-precision number; too small ones become 0. */
export function toHalf(value: number): number {
  scratch[0] = value
  const [word] = bits as unknown as [number]
  const sign = (word >>> 16) & 0x8000
  const exponent = ((word >>> 23) & 0xff) - 112
  if (exponent <= 0) return sign
  if (exponent >= 31) return sign | 0x7c00
  const mantissa = word & 0x7fffff
  const half = (exponent << 10) | (mantissa >>> 13)
  const rest = mantissa & 0x1fff
  // Round to nearest, ties to even; a carry into the exponent is right.
  return sign | (half + (rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1) ? 1 : 0))
}
