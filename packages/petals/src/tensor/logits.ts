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
