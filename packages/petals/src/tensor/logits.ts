/**
 * The logits of one position: an estimate of each with a bound on its error, and the exact value on demand. A caller that
 * needs only some of them (the greedy choice, a draw) asks for exact values only where the bounds do not decide.
 */
export interface Logits {
  /** Vocabulary size. */
  readonly size: number
  /** The estimate for every token. */
  readonly estimates: Float32Array
  /** The bound for every token: |exact - estimate| ≤ margin. */
  readonly margins: Float32Array
  /** Returns the exact logit of a token. */
  exact(token: number): number
}

/** Logits that are exact from the start. */
export class ExactLogits implements Logits {
  readonly size: number
  readonly estimates: Float32Array
  readonly margins: Float32Array

  constructor(values: Float32Array) {
    this.size = values.length
    this.estimates = values
    this.margins = new Float32Array(values.length)
  }

  exact(token: number): number {
    return this.estimates[token]!
  }
}

/** Relative error of a float32 for a float64, generously. */
const roundingSlack = 1e-7

/** The exact logits of some tokens, in float64: index i is the i-th of them. */
export class RowLogits implements Logits {
  readonly size: number
  readonly estimates: Float32Array
  readonly margins: Float32Array
  readonly #values: Float64Array

  constructor(values: Float64Array) {
    this.size = values.length
    this.estimates = Float32Array.from(values)
    this.margins = Float32Array.from(values, (value) => Math.abs(value) * roundingSlack)
    this.#values = values
  }

  exact(index: number): number {
    return this.#values[index]!
  }
}

/** Some of the logits of a position: index i is `tokens[i]`. */
export class SelectedLogits implements Logits {
  readonly size: number
  readonly estimates: Float32Array
  readonly margins: Float32Array
  readonly #all: Logits
  readonly #tokens: Int32Array

  constructor(all: Logits, tokens: Int32Array) {
    this.size = tokens.length
    this.estimates = selected(all.estimates, tokens)
    this.margins = selected(all.margins, tokens)
    this.#all = all
    this.#tokens = tokens
  }

  exact(index: number): number {
    return this.#all.exact(this.#tokens[index]!)
  }
}

function selected(values: Float32Array, places: Int32Array): Float32Array {
  const chosen = new Float32Array(places.length)
  for (let index = 0; index < places.length; index++) chosen[index] = values[places[index]!]!
  return chosen
}
