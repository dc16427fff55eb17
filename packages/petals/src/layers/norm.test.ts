import { describe, expect, it } from 'vitest'
import { layerNorm, rmsNorm } from './norm.ts'

const expectClose = (actual: Float32Array, expected: readonly number[]): void => {
  expect(actual.length).toBe(expected.length)
  expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 6))
}

describe('rmsNorm', () => {
  it('divides by the root of the mean square', () => {
    // mean(x²) = (9 + 16) / 2 = 12.5
    const norm = rmsNorm(Float32Array.of(1, 2), 0)
    expectClose(norm(Float32Array.of(3, 4)), [3 / Math.sqrt(12.5), 8 / Math.sqrt(12.5)])
  })

  it('does not divide by zero, because of its epsilon', () => {
    expectClose(rmsNorm(Float32Array.of(1, 1), 1e-5)(Float32Array.of(0, 0)), [0, 0])
    expectClose(rmsNorm(Float32Array.of(1), 3)(Float32Array.of(1)), [0.5])
  })

  it('keeps small values beside large ones', () => {
    const vector = new Float32Array(8192).fill(1e-3)
    vector[0] = 1e4
    const [first, second] = rmsNorm(new Float32Array(8192).fill(1), 1e-5)(vector)
    expect(first! / Math.sqrt(8192)).toBeCloseTo(1, 6)
    expect(second! / first!).toBeCloseTo(1e-7, 12)
  })
})

describe('layerNorm', () => {
  it('subtracts the mean, divides by the deviation, scales and shifts', () => {
    // of 1, 3, 5: mean 3, variance ((-2)² + 0² + 2²) / 3
    const norm = layerNorm(Float32Array.of(1, 1, 2), Float32Array.of(0, 10, 1), 0)
    const scale = 1 / Math.sqrt(8 / 3)
    expectClose(norm(Float32Array.of(1, 3, 5)), [-2 * scale, 10, 4 * scale + 1])
  })

  it('is exact if the mean is large and the differences are small', () => {
    const norm = layerNorm(new Float32Array(4).fill(1), new Float32Array(4), 0)
    const large = 2 ** 20
    expectClose(
      norm(Float32Array.of(large, large + 1, large + 2, large + 3)),
      [-1.3416408, -0.4472136, 0.4472136, 1.3416408],
    )
  })
})
