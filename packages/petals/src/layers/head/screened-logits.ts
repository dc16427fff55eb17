import type { Logits } from '../../tensor/logits.ts'
import type { WeightMatrix } from '../weight-matrix.ts'

/** The result of a screening pass over 8-bit weights, with the exact rows behind it. */
export class ScreenedLogits implements Logits {
  readonly size: number
  readonly estimates: Float32Array
  readonly #input: Float32Array
  readonly #matrix: WeightMatrix
  readonly #bound: ErrorBound
  readonly #known = new Map<number, number>()
  #margins: Float32Array | undefined

  constructor(estimates: Float32Array, input: Float32Array, matrix: WeightMatrix, bound: ErrorBound) {
    this.size = estimates.length
    this.estimates = estimates
    this.#input = input
    this.#matrix = matrix
    this.#bound = bound
  }

  get margins(): Float32Array {
    return (this.#margins ??= marginsOf(this.#bound, this.size))
  }

  exact(token: number): number {
    let value = this.#known.get(token)
    if (value === undefined) {
      value = this.#matrix.dot(token, this.#input)
      this.#known.set(token, value)
    }
    return value
  }
}

/** The margin of row r is rowErrors[r] · inputNorm + rowNorms[r] · inputError. */
export interface ErrorBound {
  /** ‖w - ŵ‖ and ‖ŵ‖ of each row. */
  readonly rowErrors: Float32Array
  readonly rowNorms: Float32Array
  /** ‖x‖ */
  readonly inputNorm: number
  /** Largest error of the kernel from ŵ·x, in units of ‖ŵ‖. */
  readonly inputError: number
}

/** Margins are float32, and larger by this factor, so that rounding never makes one too small. */
const roundingSlack = 1e-6

function marginsOf({ rowErrors, rowNorms, inputNorm, inputError }: ErrorBound, size: number): Float32Array {
  const margins = new Float32Array(size)
  for (let row = 0; row < size; row++) {
    margins[row] = (rowErrors[row]! * inputNorm + rowNorms[row]! * inputError) * (1 + roundingSlack)
  }
  return margins
}
