import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { coarseWeight, splitInput, zeroDigit } from './split-input.ts'

const columns = 40
const partColumns = 24
const parts = [24, 16]

/** Float32 loses the digits of numbers near 1e-38 when they are divided. They are too small to count in any sum. */
const numbers = fc
  .double({ min: -1, max: 1, noNaN: true })
  .map((value) => (Math.abs(value) < 1e-20 ? 0 : value))

/** Hidden states from tiny to huge, with outliers and zeros. */
const inputs = fc
  .tuple(
    fc.array(numbers, { minLength: columns, maxLength: columns }),
    fc.constantFrom(1e-6, 1, 1e5),
    fc.nat(columns - 1),
    fc.constantFrom(0, 1, 500),
  )
  .map(([values, scale, place, factor]) =>
    Float32Array.from(values, (value, i) => value * scale * (i === place ? factor : 1)),
  )

function split(x: Float32Array) {
  const digits = parts.map((size) => new Uint8Array(2 * size))
  const facts = splitInput(x, { partColumns }, digits)
  const restored = digits.flatMap((of, part) =>
    Array.from({ length: of.length / 2 }, (_, i) => {
      const [first, second] = [of[i]! - zeroDigit, of[of.length / 2 + i]! - zeroDigit]
      return (coarseWeight * first + second) * facts.steps[part]!
    }),
  )
  return { ...facts, digits: digits.flatMap((of) => [...of]), restored }
}

describe('splitInput', () => {
  it('uses only digits of seven bits, whose products two kernels of 16 bits can add', () => {
    fc.assert(
      fc.property(inputs, (x) => {
        for (const digit of split(x).digits) {
          expect(digit).toBeGreaterThanOrEqual(1)
          expect(digit).toBeLessThanOrEqual(127)
        }
      }),
    )
    expect(2 * 127 * 127).toBeLessThan(2 ** 15)
  })

  it('has an error within its bound, and its norm is not too small', () => {
    fc.assert(
      fc.property(inputs, (x) => {
        const { inputNorm, inputError, restored } = split(x)
        expect(Math.hypot(...x.map((value, i) => value - restored[i]!))).toBeLessThanOrEqual(inputError)
        expect(Math.hypot(...x)).toBeLessThanOrEqual(inputNorm * (1 + 1e-9))
      }),
    )
  })

  it('is as exact as 14 bits', () => {
    const x = Float32Array.from({ length: columns }, (_, i) => Math.sin(i * 7.3))
    const { inputNorm, inputError } = split(x)
    expect(inputError / inputNorm).toBeLessThan(7e-5)
  })
})
