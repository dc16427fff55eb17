import { dot } from '../dot.ts'
import { blocksOf, quantize, vectorBytes } from './quantized-vector.ts'

/** The part of the bound of a position's logits that its hidden state x sets. */
export interface InputBound {
  /** ‖x‖ */
  readonly inputNorm: number
  /** The largest error of the kernel from ŵ·x, in units of ‖ŵ‖; NaN if nothing is known. */
  readonly inputError: number
}

/** Hidden states as the kernels multiply them, and the part of the bound that each of them sets. */
export interface QuantizedInputs {
  readonly positions: number
  /** One position after the other. */
  readonly bytes: Uint8Array
  /** The unit of each position's scales. */
  readonly units: Float64Array
  /** The `InputBound` of each position. */
  readonly norms: Float64Array
  readonly errors: Float64Array
}

/** Quantizes hidden states, [positions, columns]. */
export function quantizeInputs(inputs: Float32Array, columns: number): QuantizedInputs {
  const positions = inputs.length / columns
  const size = vectorBytes(columns)
  const bytes = new Uint8Array(positions * size)
  const units = new Float64Array(positions)
  const norms = new Float64Array(positions)
  const errors = new Float64Array(positions)
  for (let position = 0; position < positions; position++) {
    const target = bytes.subarray(position * size, (position + 1) * size)
    const facts = quantizeInput(inputs.subarray(position * columns, (position + 1) * columns), target)
    units[position] = facts.unit
    norms[position] = facts.inputNorm
    errors[position] = facts.inputError
  }
  return { positions, bytes, units, norms, errors }
}

/**
 * Additions in float32 that a product takes part in: at most one for each block, and some more where a kernel adds up the
 * results of parallel sums, of which none has more than 64. Products and integer sums within a block are exact: scales have
 * eleven bits, and 32 · 127 · 127 is below 2^24. Multiplying both is one more rounding.
 */
const roundings = (columns: number): number => blocksOf(columns) + 65

/**
 * `inputError` has two parts: the rounding of x, and that of the kernel's sums. By the usual bound for sums in any order, n
 * roundings of 2^-24 make an error of at most (n + 1) · 2^-24 · Σ|ŵᵢ·x̂ᵢ|, as long as n < 4000; and Σ|ŵᵢ·x̂ᵢ| ≤ ‖ŵ‖·‖x̂‖.
 */
function quantizeInput(x: Float32Array, target: Uint8Array): InputBound & { readonly unit: number } {
  const { unit, squaredError, squaredNorm } = quantize(x, target)
  const summing = (roundings(x.length) + 1) * 2 ** -24 * Math.sqrt(squaredNorm)
  return {
    unit,
    inputNorm: Math.sqrt(dot(x, x)) * (1 + 1e-6),
    inputError: (Math.sqrt(squaredError) + summing) * (1 + 1e-6),
  }
}
