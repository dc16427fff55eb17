/**
 * The logits of one position: an estimate of each and a bound on its error, with the exact value on demand. Whoever
 * needs only the best few (greedy choice, top-k, top-p) asks for exact values only where the bounds leave a doubt.
 */
export interface Logits {
  /** Vocabulary size. */
  readonly size: number
  /** Of every token. */
  readonly estimates: Float32Array
  /** |exact - estimate| ≤ margin. */
  margin(token: number): number
  exact(token: number): number
}

/** Logits that are exact from the start. */
export class ExactLogits implements Logits {
  readonly size: number
  readonly estimates: Float32Array

  constructor(values: Float32Array) {
    this.size = values.length
    this.estimates = values
  }
  margin(): number {
    return 0
  }
  exact(token: number): number {
    return this.estimates[token]!
  }
}
