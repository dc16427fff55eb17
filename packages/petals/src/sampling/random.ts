/** Returns the next 32 random bits, 0 … 2^32 - 1. */
export type RandomBits = () => number

/** Spreads a 32-bit seed over the generator's state (splitmix32). */
function splitmix(seed: number): RandomBits {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}

/** Creates the generator sfc32 (Chris Doty-Humphrey's PractRand). The same seed gives the same bits on every machine. */
export function seededBits(seed: number): RandomBits {
  const next = splitmix(seed)
  let [a, b, c, counter] = [next(), next(), next(), 1]
  const random = (): number => {
    const sum = (a + b + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) >>> 0
    c = ((c << 21) | (c >>> 11)) >>> 0
    c = (c + sum) >>> 0
    return sum
  }
  // The first numbers still correlate with the seed.
  for (let i = 0; i < 12; i++) random()
  return random
}
