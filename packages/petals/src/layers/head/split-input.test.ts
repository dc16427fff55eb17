import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inputBound, splitInput } from './split-input.ts'

const shape = { columns: 40, paddedColumns: 64, blockSize: 32 }

/** Float32 loses the digits of numbers near 1e-38 when they are divided. They are too small to count in any sum. */
const numbers = fc
  .double({ min: -1, max: 1, noNaN: true })
  .map((value) => (Math.abs(value) < 1e-20 ? 0 : value))

/** Hidden states from tiny to huge, with outliers and blocks of zeros. */
const inputs = fc
  .tuple(
    fc.array(numbers, { minLength: 40, maxLength: 40 }),
    fc.constantFrom(1e-6, 1, 1e5),
    fc.nat(39),
    fc.constantFrom(0, 1, 500),
  )
  .map(([values, scale, place, factor]) =>
    Float32Array.from(values, (value, i) => value * scale * (i === place ? factor : 1)),
  )

/** Rounds each block of a row to 8 bits, as the kernel does. */
function rounded(row: Float32Array, round: (block: Float32Array) => Float32Array): Float32Array {
  const result = new Float32Array(row.length)
  for (let start = 0; start < row.length; start += shape.blockSize) {
    result.set(round(row.subarray(start, start + shape.blockSize)), start)
  }
  return result
}

const symmetric = (block: Float32Array): Float32Array => {
  const step = Math.fround(Math.max(...block.map(Math.abs)) / 127)
  return block.map((value) => (step === 0 ? 0 : Math.round(value / step) * step))
}
const asymmetric = (block: Float32Array): Float32Array => {
  const low = Math.min(0, ...block)
  const step = (Math.max(0, ...block) - low) / 255
  return block.map((value) => (step === 0 ? 0 : Math.round((value - low) / step) * step + low))
}

/** Returns the distance of x from the sum of both rows after the kernel's rounding. */
function distance(
  x: Float32Array,
  split: Float32Array,
  round: (block: Float32Array) => Float32Array,
): number {
  const coarse = rounded(split.subarray(0, shape.paddedColumns), round)
  const fine = rounded(split.subarray(shape.paddedColumns), round)
  return Math.hypot(...x.map((value, i) => value - (coarse[i]! + fine[i]!)))
}

describe('splitInput', () => {
  const split = (x: Float32Array): Float32Array => {
    const target = new Float32Array(2 * shape.paddedColumns)
    splitInput(x, shape, target)
    return target
  }

  it('returns two rows whose sum is the input, padded with zeros', () => {
    fc.assert(
      fc.property(inputs, (x) => {
        const rows = split(x)
        for (let i = 0; i < shape.paddedColumns; i++) {
          const sum = rows[i]! + rows[shape.paddedColumns + i]!
          expect(Math.abs(sum - (x[i] ?? 0))).toBeLessThanOrEqual(Math.abs(x[i] ?? 0) * 2e-7)
        }
      }),
    )
  })

  it('returns a first row that 8 bits represent exactly', () => {
    fc.assert(
      fc.property(inputs, (x) => {
        const coarse = split(x).subarray(0, shape.paddedColumns)
        rounded(coarse, symmetric).forEach((value, i) =>
          expect(Math.abs(value - coarse[i]!)).toBeLessThanOrEqual(Math.abs(coarse[i]!) * 1e-6),
        )
      }),
    )
  })

  it('has an error within its bound, for symmetric and for any other rounding', () => {
    fc.assert(
      fc.property(inputs, (x) => {
        const rows = split(x)
        const sharp = inputBound(x, rows, shape, 'symmetric')
        const blunt = inputBound(x, rows, shape, 'unknown')
        expect(distance(x, rows, symmetric)).toBeLessThanOrEqual(sharp.inputError)
        expect(distance(x, rows, symmetric)).toBeLessThanOrEqual(blunt.inputError)
        expect(distance(x, rows, asymmetric)).toBeLessThanOrEqual(blunt.inputError)
        expect(Math.hypot(...x)).toBeLessThanOrEqual(sharp.inputNorm * (1 + 1e-9))
      }),
    )
  })

  it('is as exact as 16 bits', () => {
    const x = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i * 7.3))
    const { inputNorm, inputError } = inputBound(x, split(x), shape, 'symmetric')
    expect(inputError / inputNorm).toBeLessThan(5e-5)
  })
})
