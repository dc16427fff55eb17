import type { Logits } from '../tensor/logits.ts'
import type { WeightMatrix } from './weight-matrix.ts'

export function dot(a: Float32Array, b: Float32Array): number {
  let first = 0
  let second = 0
  let third = 0
  let fourth = 0
  const whole = a.length & ~3
  for (let i = 0; i < whole; i += 4) {
    first += a[i]! * b[i]!
    second += a[i + 1]! * b[i + 1]!
    third += a[i + 2]! * b[i + 2]!
    fourth += a[i + 3]! * b[i + 3]!
  }
  for (let i = whole; i < a.length; i++) first += a[i]! * b[i]!
  return first + second + (third + fourth)
}

/** What a screening pass over 8-bit weights leaves, with the exact rows behind it. */
export class ScreenedLogits implements Logits {
  readonly size: number
  readonly estimates: Float32Array
  readonly #input: Float32Array
  readonly #matrix: WeightMatrix
  readonly #margins: (token: number) => number
  readonly #known = new Map<number, number>()

  constructor(
    estimates: Float32Array,
    input: Float32Array,
    matrix: WeightMatrix,
    margins: (token: number) => number,
  ) {
    this.size = estimates.length
    this.estimates = estimates
    this.#input = input
    this.#matrix = matrix
    this.#margins = margins
  }

  margin(token: number): number {
    return this.#margins(token)
  }

  exact(token: number): number {
    let value = this.#known.get(token)
    if (value === undefined) {
      value = dot(this.#input, this.#matrix.row(token))
      this.#known.set(token, value)
    }
    return value
  }
}
