/** A set of code points as ranges [from, to], in ascending order, with gaps between them. */
export type CharSet = ReadonlyArray<readonly [from: number, to: number]>

const LAST = 0x10ffff

/**
 * The characters of a string in an answer: all except control characters without a short escape in JSON, and lone
 * surrogates.
 */
export const textChars: CharSet = [
  [8, 10],
  [12, 13],
  [0x20, 0x7e],
  [0x80, 0xd7ff],
  [0xe000, LAST],
]

/** Sorts the ranges and joins adjacent ones. */
export function charSet(ranges: Iterable<readonly [number, number]>): CharSet {
  const set: Array<[number, number]> = []
  for (const [from, to] of [...ranges].sort((left, right) => left[0] - right[0])) {
    const last = set.at(-1)
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else set.push([from, to])
  }
  return set
}

export const charsOf = (text: string): CharSet =>
  charSet([...text].map((char) => [char.codePointAt(0)!, char.codePointAt(0)!] as const))

export const union = (sets: readonly CharSet[]): CharSet => charSet(sets.flat())

export function complement(set: CharSet): CharSet {
  const rest: Array<readonly [number, number]> = []
  let next = 0
  for (const [from, to] of set) {
    if (from > next) rest.push([next, from - 1])
    next = to + 1
  }
  return next > LAST ? rest : [...rest, [next, LAST]]
}

export const intersection = (left: CharSet, right: CharSet): CharSet =>
  complement(union([complement(left), complement(right)]))

export function hasChar(set: CharSet, char: number): boolean {
  let [low, high] = [0, set.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const [from, to] = set[middle]!
    if (char < from) high = middle - 1
    else if (char > to) low = middle + 1
    else return true
  }
  return false
}

/** Bounded by the number of Unicode properties. */
const known = new Map<string, CharSet>()

/** Reports whether `charsMatching` has cached this escape. */
export const isKnownEscape = (source: string): boolean => known.has(source)

/** Returns the characters that an escape such as `\p{L}` matches. @throws SyntaxError */
export function charsMatching(source: string): CharSet {
  const cached = known.get(source)
  if (cached) return cached
  const pattern = new RegExp(`^${source}$`, 'u')
  const ranges: Array<[number, number]> = []
  for (let code = 0; code <= LAST; code++) {
    if (code === 0xd800) code = 0xe000
    if (!pattern.test(String.fromCodePoint(code))) continue
    const last = ranges.at(-1)
    if (last?.[1] === code - 1) last[1] = code
    else ranges.push([code, code])
  }
  known.set(source, ranges)
  return ranges
}
