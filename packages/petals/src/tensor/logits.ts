/** Tokens of a stretch: so many that follow each other have one upper bound, by which most of a vocabulary is passed over. */
export const stretchTokens = 64

/**
 * The logits of one position: an estimate of each with a bound on its error, and the exact value on demand. A caller that
 * needs only some of them (the greedy choice, a draw) asks for exact values only where the bounds do not decide.
 */
export interface Logits {
  /** Vocabulary size. */
  readonly size: number
  /**
   * The upper bound of each stretch of `stretchTokens` tokens: no `estimate + margin` in it is higher. NaN or -Infinity if
   * nothing is known.
   */
  readonly ceilings: Float64Array
  /** Returns the estimate of a token's logit. */
  estimate(token: number): number
  /** Returns the bound of a token: |exact - estimate| ≤ margin. */
  margin(token: number): number
  /** Returns the exact logit of a token. */
  exact(token: number): number
}

/** Returns the `ceilings` of logits, from their estimates and margins. A NaN is no bound. */
export function ceilingsOf(logits: Omit<Logits, 'ceilings'>): Float64Array {
  const ceilings = new Float64Array(Math.ceil(logits.size / stretchTokens)).fill(-Infinity)
  for (let token = 0; token < logits.size; token++) {
    const stretch = Math.floor(token / stretchTokens)
    const upper = logits.estimate(token) + logits.margin(token)
    if (upper > ceilings[stretch]!) ceilings[stretch] = upper
  }
  return ceilings
}

/** Estimates and margins that are kept as numbers. */
abstract class ListedLogits implements Logits {
  readonly size: number
  readonly #estimates: Float32Array
  readonly #margins: Float32Array
  #ceilings: Float64Array | undefined

  constructor(estimates: Float32Array, margins: Float32Array) {
    this.size = estimates.length
    this.#estimates = estimates
    this.#margins = margins
  }

  get ceilings(): Float64Array {
    return (this.#ceilings ??= ceilingsOf(this))
  }

  estimate(token: number): number {
    return this.#estimates[token]!
  }

  margin(token: number): number {
    return this.#margins[token]!
  }

  abstract exact(token: number): number
}

/** Logits that are exact from the start. */
export class ExactLogits extends ListedLogits {
  constructor(values: Float32Array) {
    super(values, new Float32Array(values.length))
  }

  exact(token: number): number {
    return this.estimate(token)
  }
}

/** Relative error of a float32 for a float64, generously. */
const roundingSlack = 1e-7

/** The exact logits of some tokens, in float64: index i is the i-th of them. */
export class RowLogits extends ListedLogits {
  readonly #values: Float64Array

  constructor(values: Float64Array) {
    super(
      Float32Array.from(values),
      Float32Array.from(values, (value) => Math.abs(value) * roundingSlack),
    )
    this.#values = values
  }

  exact(index: number): number {
    return this.#values[index]!
  }
}

/** Some of the logits of a position: index i is `tokens[i]`. */
export class SelectedLogits implements Logits {
  readonly size: number
  readonly #all: Logits
  readonly #tokens: Int32Array
  #ceilings: Float64Array | undefined

  constructor(all: Logits, tokens: Int32Array) {
    this.size = tokens.length
    this.#all = all
    this.#tokens = tokens
  }

  get ceilings(): Float64Array {
    return (this.#ceilings ??= ceilingsOf(this))
  }

  estimate(index: number): number {
    return this.#all.estimate(this.#tokens[index]!)
  }

  margin(index: number): number {
    return this.#all.margin(this.#tokens[index]!)
  }

  exact(index: number): number {
    return this.#all.exact(this.#tokens[index]!)
  }
}
