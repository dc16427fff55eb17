import { stretchTokens, type Logits } from '../../tensor/logits.ts'
import type { WeightMatrix } from '../weight-matrix.ts'
import type { ScreenedPosition } from './screening-frames.ts'

/** What is known of the distance of each 8-bit row from the original. */
export interface RowBounds {
  /** ‖w - ŵ‖ of each row. */
  readonly errors: Float32Array
  /** ‖ŵ‖ of each row. */
  readonly norms: Float32Array
  /** The largest of both in each stretch of rows. */
  readonly stretchErrors: Float32Array
  readonly stretchNorms: Float32Array
}

export const rowBoundsOf = (errors: Float32Array, norms: Float32Array): RowBounds => ({
  errors,
  norms,
  stretchErrors: largestOf(errors),
  stretchNorms: largestOf(norms),
})

const largestOf = (values: Float32Array): Float32Array =>
  Float32Array.from({ length: Math.ceil(values.length / stretchTokens) }, (_, stretch) =>
    Math.max(...values.subarray(stretch * stretchTokens, (stretch + 1) * stretchTokens)),
  )

/** Margins are larger by this factor, so that the roundings of their own computation never make one too small. */
const roundingSlack = 1e-6

/**
 * The result of a screening pass over 8-bit weights, with the exact rows behind it. The margin of row r is
 * errors[r] · inputNorm + norms[r] · inputError, and what the codes round. It is computed for the few tokens of which it is
 * asked: lists of all estimates and margins would be most of what the garbage collector has to do for a token.
 */
export class ScreenedLogits implements Logits {
  readonly size: number
  readonly #screened: ScreenedPosition
  readonly #input: Float32Array
  readonly #matrix: WeightMatrix
  readonly #rows: RowBounds
  readonly #known = new Map<number, number>()
  #ceilings: Float64Array | undefined

  constructor(screened: ScreenedPosition, input: Float32Array, matrix: WeightMatrix, rows: RowBounds) {
    this.size = screened.codes.length
    this.#screened = screened
    this.#input = input
    this.#matrix = matrix
    this.#rows = rows
  }

  /** Each step of the sum is monotonic, also where it is rounded: so no token's upper bound is above its ceiling. */
  get ceilings(): Float64Array {
    if (this.#ceilings) return this.#ceilings
    const { peaks, step } = this.#screened
    const { stretchErrors, stretchNorms } = this.#rows
    const ceilings = new Float64Array(peaks.length)
    for (let stretch = 0; stretch < ceilings.length; stretch++) {
      const margin = this.#marginOf(stretchErrors[stretch]!, stretchNorms[stretch]!)
      ceilings[stretch] = peaks[stretch]! * step + margin
    }
    return (this.#ceilings = ceilings)
  }

  estimate(token: number): number {
    return this.#screened.codes[token]! * this.#screened.step
  }

  margin(token: number): number {
    return this.#marginOf(this.#rows.errors[token]!, this.#rows.norms[token]!)
  }

  exact(token: number): number {
    let value = this.#known.get(token)
    if (value === undefined) {
      value = this.#matrix.dot(token, this.#input)
      this.#known.set(token, value)
    }
    return value
  }

  #marginOf(error: number, norm: number): number {
    const { inputNorm, inputError, rounding } = this.#screened
    return (error * inputNorm + norm * inputError) * (1 + roundingSlack) + rounding
  }
}
