import type { ErrorBound } from './screened-logits.ts'
import { dot } from '../dot.ts'

/** How the kernel rounds its input to 8 bits. */
export type KernelRounding =
  /** Symmetric with a step of max|x| / 127, as on x86: multiples of the step are not changed. */
  | 'symmetric'
  /** Any rounding with steps of at most 2 max|x| / 255. */
  | 'unknown'

export interface SplitShape {
  /** Columns of the weights. */
  readonly columns: number
  /** `columns`, rounded up to whole blocks. */
  readonly paddedColumns: number
  /** Columns that share a scale. */
  readonly blockSize: number
}

/**
 * Writes x as two rows, x = coarse + fine, to `target` [2, paddedColumns]. The kernel rounds its input to 8 bits in
 * blocks. `coarse` consists of such numbers already, so that only `fine`, which is 254 times smaller, is rounded. Both rows
 * share one pass over the weights, and the sum of both results has the error of a 16-bit input.
 */
export function splitInput(
  x: Float32Array,
  { columns, paddedColumns, blockSize }: SplitShape,
  target: Float32Array,
): void {
  for (let start = 0; start < columns; start += blockSize) {
    const end = Math.min(start + blockSize, columns)
    const step = Math.fround(largest(x, start, end) / 127)
    const inverse = step === 0 ? 0 : 1 / step
    for (let i = start; i < end; i++) {
      const coarse = Math.fround(Math.round(x[i]! * inverse) * step)
      target[i] = coarse
      target[paddedColumns + i] = x[i]! - coarse
    }
  }
}

/** Returns the largest magnitude in [start, end). */
export function largest(values: Float32Array, start: number, end: number): number {
  let most = 0
  for (let i = start; i < end; i++) {
    const size = Math.abs(values[i]!)
    if (size > most) most = size
  }
  return most
}

/** Allowance for the rounding of scales in the kernel, relative to a half step. */
const stepSlack = 1.01

/** Returns an upper bound of ‖row - rounded row‖: half a step of `2 / steps` times the largest magnitude of each block. */
function roundingError(row: Float32Array, blockSize: number, steps: number): number {
  let squares = 0
  for (let start = 0; start < row.length; start += blockSize) {
    const half = (largest(row, start, start + blockSize) / steps) * stepSlack
    squares += blockSize * half * half
  }
  return Math.sqrt(squares)
}

/** float32's relative rounding error. */
const epsilon = 2 ** -24
/** Roundings of one block's contribution besides those of the sum: scales, products, input. */
const roundingsPerBlock = 16

/**
 * Returns the largest error of the kernel's results from ŵ·x, in units of ‖ŵ‖ (Cauchy-Schwarz). It has two parts: the
 * rounding of the input, and the rounding of float32 sums, which is at most (terms × epsilon) of the sum of magnitudes
 * ≤ ‖ŵ‖·‖x‖. Integer kernels sum blocks; a kernel that multiplies in float32 sums columns.
 */
export function inputBound(
  x: Float32Array,
  split: Float32Array,
  { paddedColumns, blockSize }: SplitShape,
  rounding: KernelRounding,
): Pick<ErrorBound, 'inputNorm' | 'inputError'> {
  const inputNorm = Math.sqrt(dot(x, x)) * (1 + 1e-6)
  const fine = split.subarray(paddedColumns)
  if (rounding === 'symmetric') {
    const terms = paddedColumns / blockSize + roundingsPerBlock
    return { inputNorm, inputError: roundingError(fine, blockSize, 254) + inputNorm * terms * epsilon }
  }
  const coarse = split.subarray(0, paddedColumns)
  const steps = roundingError(coarse, blockSize, 255) + roundingError(fine, blockSize, 255)
  return { inputNorm, inputError: steps + inputNorm * (paddedColumns + roundingsPerBlock) * epsilon }
}
