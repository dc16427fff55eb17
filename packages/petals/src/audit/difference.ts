/**
 * How far two servers' outputs for the same inputs are apart. All numbers are shares of the outputs' length (L2 norm): 0 is
 * the same, and 1 something else altogether.
 */
export interface Difference {
  /** Of half of the tokens, the difference is less. */
  readonly typical: number
  /** The difference of the token that differs most. */
  readonly worst: number
  /** How much longer the outputs of one are than those of the other: rounding cancels out in it, a factor does not. */
  readonly scale: number
  /**
   * What the differences of all tokens have in common, beyond what those of so few tokens have by chance: rounding cancels out in
   * it, an offset does not.
   */
  readonly offset: number
}

export const aspects = [
  'typical',
  'worst',
  'scale',
  'offset',
] as const satisfies readonly (keyof Difference)[]

/** Compares outputs of shape [tokens, hidden], at least one token. */
export function differenceOf(a: Float32Array, b: Float32Array, hiddenSize: number): Difference {
  const tokens = a.length / hiddenSize
  const distances = new Float64Array(tokens)
  const scales = new Float64Array(tokens)
  const common = new Float64Array(hiddenSize)
  for (let token = 0; token < tokens; token++) {
    const start = token * hiddenSize
    const [lengthA, lengthB] = [lengthOf(a, start, hiddenSize), lengthOf(b, start, hiddenSize)]
    const length = (lengthA + lengthB) / 2
    let squares = 0
    for (let i = 0; i < hiddenSize; i++) {
      const share = (a[start + i]! - b[start + i]!) / length
      squares += share * share
      common[i]! += share / tokens
    }
    distances[token] = Math.sqrt(squares)
    scales[token] = Math.log(lengthA / lengthB)
  }
  return {
    typical: median(distances),
    worst: Math.max(...distances),
    scale: Math.abs(median(scales)),
    offset: commonLength(lengthOf(common, 0, hiddenSize), distances),
  }
}

/**
 * What vectors of these lengths have in common, where `mean` is the length of their mean. Also vectors that have nothing in common
 * have a mean: that of 16 is about a quarter as long as they are.
 */
function commonLength(mean: number, lengths: Float64Array): number {
  const count = lengths.length
  if (count === 1) return 0
  const byChance = lengths.reduce((sum, length) => sum + length ** 2, 0) / count ** 2
  return Math.sqrt(Math.max(0, ((mean ** 2 - byChance) * count) / (count - 1)))
}

function lengthOf(values: Float32Array | Float64Array, start: number, count: number): number {
  let squares = 0
  for (let i = start; i < start + count; i++) squares += values[i]! * values[i]!
  return Math.sqrt(squares)
}

const median = (values: Float64Array): number => values.toSorted()[Math.floor(values.length / 2)]!
