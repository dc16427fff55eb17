import type { RandomBits } from './random.ts'

/**
 * Random numbers of the standard Gumbel distribution, one for each token, that depend on nothing but the key: whoever
 * asks for a token's number a second time, or never, changes no other.
 */
export interface GumbelKey {
  readonly first: number
  readonly second: number
}

export const gumbelKey = (random: RandomBits): GumbelKey => ({ first: random() | 0, second: random() | 0 })

/** The 32 random bits behind a token's number: splitmix32's mixing function with the key at two places. */
export function gumbelBits(key: GumbelKey, token: number): number {
  let mixed = (Math.imul(token + 1, 0x9e3779b1) + key.first) | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = (mixed ^ (mixed >>> 15)) + key.second
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

/** -ln(-ln u) for u = 1 - v in (0, 1); v is spelt out so that the large numbers, which decide, are the finely resolved ones. */
export function gumbelOf(bits: number): number {
  const v = (bits + 0.5) / 2 ** 32
  return -Math.log(-Math.log1p(-v))
}

/** A number that `gumbelOf(bits)` does not exceed, without a logarithm: -ln(1 - v) ≥ v ≥ 2^-(leading zeros + 1). */
export const gumbelCeiling = (bits: number): number => (Math.clz32(bits) + 1) * Math.LN2
