import type { RandomBits } from './random.ts'

/**
 * The key of random numbers of the standard Gumbel distribution, one for each token. The number of a token depends only on
 * the key and the token, not on which numbers were asked for before.
 */
export interface GumbelKey {
  readonly first: number
  readonly second: number
}

export const gumbelKey = (random: RandomBits): GumbelKey => ({ first: random() | 0, second: random() | 0 })

/** Returns the 32 random bits behind a token's number: splitmix32's mixing function with the key in two places. */
export function gumbelBits(key: GumbelKey, token: number): number {
  let mixed = (Math.imul(token + 1, 0x9e3779b1) + key.first) | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = (mixed ^ (mixed >>> 15)) + key.second
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

/** Returns -ln(-ln u) for u = 1 - v in (0, 1). Computed from v, because the large numbers, which decide, then have the finest steps. */
export function gumbelOf(bits: number): number {
  const v = (bits + 0.5) / 2 ** 32
  return -Math.log(-Math.log1p(-v))
}

/** Returns an upper bound of `gumbelOf(bits)` without a logarithm: -ln(1 - v) ≥ v ≥ 2^-(leading zeros + 1). */
export const gumbelCeiling = (bits: number): number => (Math.clz32(bits) + 1) * Math.LN2
