/** Returns random integers: 0 … `below` - 1, the same for the same seed. */
export type Random = (below: number) => number

export function seededRandom(seed: number): Random {
  let state = seed >>> 0 || 1
  return (below) => {
    // xorshift32
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** Longest mutant, bytes. */
const maxBytes = 64 * 1024

/** Numbers at which decoders go wrong, as they stand in binary formats and in texts. */
const interesting: readonly Uint8Array[] = [
  [0],
  [0x7f],
  [0x80],
  [0xff],
  [0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f],
  [0, 0, 0, 0x80],
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], // the longest varint
  [0, 0, 0xc0, 0x7f], // NaN in float32
  [0, 0, 0, 0, 0, 0, 0xf0, 0x7f], // infinity in float64
  [0xdf, 0xff, 0xff, 0xff, 0xff], // a msgpack map of 2^32 - 1 entries
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xc9, 0xff, 0xff, 0xff, 0xff, 0x50],
]
  .map((bytes) => Uint8Array.from(bytes))
  .concat(
    [
      '__proto__',
      'constructor',
      '-1',
      '1e308',
      'NaN',
      '9007199254740993',
      '\ud800',
      '\0',
      '](((((',
      '{"a":',
    ].map((text) => Buffer.from(text)),
  )

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array

const splice = (bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array =>
  Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)])

const pick = <T>(values: readonly T[], random: Random): T => values[random(values.length)]!

/** A random range of `bytes`. */
function rangeOf(bytes: Uint8Array, random: Random): Uint8Array {
  const start = random(bytes.byteLength + 1)
  return bytes.subarray(start, start + random(Math.min(bytes.byteLength - start, 256) + 1))
}

const change = (bytes: Uint8Array, random: Random, to: (byte: number) => number): Uint8Array => {
  if (bytes.byteLength === 0) return bytes
  const copy = bytes.slice()
  const at = random(copy.byteLength)
  copy[at] = to(copy[at]!)
  return copy
}

const mutations: readonly Mutation[] = [
  (bytes, random) => change(bytes, random, (byte) => byte ^ (1 << random(8))),
  (bytes, random) => change(bytes, random, () => random(256)),
  (bytes, random) => change(bytes, random, (byte) => byte + 1),
  (bytes, random) => bytes.subarray(0, random(bytes.byteLength + 1)),
  (bytes, random) => splice(bytes, random(bytes.byteLength + 1), random(16), new Uint8Array(0)),
  (bytes, random) => splice(bytes, random(bytes.byteLength + 1), 0, pick(interesting, random)),
  (bytes, random) => {
    const value = pick(interesting, random)
    return splice(bytes, random(bytes.byteLength + 1), value.byteLength, value)
  },
  (bytes, random) => splice(bytes, random(bytes.byteLength + 1), 0, rangeOf(bytes, random)),
  (bytes, random, other) => splice(bytes, random(bytes.byteLength + 1), random(32), rangeOf(other, random)),
  (bytes, random) => {
    const part = rangeOf(bytes, random)
    const times = 1 << random(10)
    return splice(
      bytes,
      random(bytes.byteLength + 1),
      0,
      Buffer.concat(Array.from({ length: times }, () => part)),
    )
  },
]

/** Returns a changed copy of `bytes`; `other` lends parts of itself. */
export function mutate(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let mutant = bytes
  for (let rounds = 1 + random(4); rounds > 0; rounds--)
    mutant = pick(mutations, random)(mutant, random, other)
  return mutant.subarray(0, maxBytes)
}
