import { dot } from '../dot.ts'
import type { ErrorBound } from './screened-logits.ts'

/** Digits are 1 … 127, and mean themselves less 64. */
export const zeroDigit = 64
const largestDigit = 63
/** What the first digit counts, in units of the second one. */
export const coarseWeight = 2 * largestDigit

/** The sums of the parts are added in float32, whose relative rounding error is 2^-24; this allows for float64's before. */
const roundings = (parts: number): number => (parts + 1) * 2 ** -24

export interface SplitInput extends Pick<ErrorBound, 'inputNorm' | 'inputError'> {
  /** The value of a unit of the second digit, in each part. */
  readonly steps: Float64Array
}

export interface InputParts {
  /** Columns of each part but the last; each part has its own step. */
  readonly partColumns: number
}

/**
 * Writes each part of x in two digits of seven bits to its target [2, columns of the part], the first digits before the second
 * ones: x̂ = (126 · first + second) · step. Both rows share one pass over the weights, and the sum of both results has the error
 * of a 14-bit input.
 *
 * Why seven bits: AVX2 adds pairs of products of 8-bit numbers in 16 bits. 2 · 127 · 127 fits, so sums are exact on every
 * processor.
 */
export function splitInput(
  x: Float32Array,
  { partColumns }: InputParts,
  targets: readonly Uint8Array[],
): SplitInput {
  let error = 0
  const steps = Float64Array.from(targets, (target, part) => {
    const start = part * partColumns
    const end = Math.min(start + partColumns, x.length)
    const step = largest(x, start, end) / (largestDigit * coarseWeight)
    error += writeDigits(x.subarray(start, end), step, target)
    return step
  })
  const inputNorm = Math.sqrt(dot(x, x)) * (1 + 1e-6)
  return {
    steps,
    inputNorm,
    inputError: Math.sqrt(error) * (1 + 1e-6) + inputNorm * roundings(targets.length),
  }
}

/** Returns ‖x - x̂‖². */
function writeDigits(x: Float32Array, step: number, target: Uint8Array): number {
  const inverse = Number.isFinite(1 / step) ? 1 / step : 0
  let error = 0
  for (let i = 0; i < x.length; i++) {
    const coarse = digit((x[i]! * inverse) / coarseWeight)
    const rest = x[i]! - coarse * coarseWeight * step
    const fine = digit(rest * inverse)
    target[i] = coarse + zeroDigit
    target[x.length + i] = fine + zeroDigit
    const difference = rest - fine * step
    error += difference * difference
  }
  return error
}

const digit = (value: number): number => Math.max(-largestDigit, Math.min(largestDigit, Math.round(value)))

/** Returns the largest magnitude in [start, end). */
export function largest(values: Float32Array, start: number, end: number): number {
  let most = 0
  for (let i = start; i < end; i++) {
    const size = Math.abs(values[i]!)
    if (size > most) most = size
  }
  return most
}
