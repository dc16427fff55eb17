/**
 * The logits of one position: an estimate of each and a bound on its error, with the exact value on demand. Whoever
 * needs only some of them (the greedy choice, a draw) asks for exact values only where the bounds leave a doubt.
 */
export interface Logits {
  /** Vocabulary size. */
  readonly size: number
  /** Of every token. */
  readonly estimates: Float32Array
  /** Of every token: |exact - estimate| ≤ margin. */
  readonly margins: Float32Array
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
