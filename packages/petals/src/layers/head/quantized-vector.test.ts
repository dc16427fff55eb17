import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blockBytes, blockColumns, quantize, scaleAt, vectorBytes } from './quantized-vector.ts'

/** Vectors from the smallest to the largest numbers of float32, with zeros, outliers, equal values and other lengths than whole blocks. */
const vectors = fc
  .tuple(
    fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 100 }),
    fc.constantFrom(2 ** -149, 1e-40, 1e-20, 1e-6, 1, 1e5, 1e30, 3.4e38),
    fc.nat(99),
    fc.constantFrom(0, 1, 1e-9, 1e-3, 500),
  )
  .map(([values, scale, place, factor]) =>
    Float32Array.from(values, (value, i) =>
      Math.max(-3.4e38, Math.min(3.4e38, value * scale * (i === place ? factor : 1))),
    ),
  )

function restore(values: Float32Array) {
  // Memory that is used again holds other bytes.
  const bytes = new Uint8Array(vectorBytes(values.length)).fill(0x55)
  const facts = quantize(values, bytes)
  const codes = new Int8Array(bytes.buffer)
  const all = Float64Array.from({ length: (bytes.length / blockBytes) * blockColumns }, (_, i) => {
    const place = Math.floor(i / blockColumns) * blockBytes
    return codes[place + 2 + (i % blockColumns)]! * scaleAt(bytes, place) * facts.unit
  })
  return {
    ...facts,
    codes,
    bytes,
    restored: all.subarray(0, values.length),
    padding: all.subarray(values.length),
  }
}

const squared = (values: Float64Array): number => values.reduce((sum, value) => sum + value ** 2, 0)

describe('quantize', () => {
  it('tells the distance and the norm of what ggml multiplies', () => {
    fc.assert(
      fc.property(vectors, (values) => {
        const { squaredError, squaredNorm, restored } = restore(values)
        const error = squared(restored.map((value, i) => value - values[i]!))
        expect(Math.abs(squaredError - error)).toBeLessThanOrEqual(1e-9 * error)
        expect(Math.abs(squaredNorm - squared(restored))).toBeLessThanOrEqual(1e-9 * squaredNorm)
      }),
    )
  })

  it('is within half a step everywhere, and a step is a 127th of the largest value of its block', () => {
    fc.assert(
      fc.property(vectors, (values) => {
        const { restored } = restore(values)
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
        for (let start = 0; start < values.length; start += blockColumns) {
          const block = values.subarray(start, start + blockColumns)
          const most = block.reduce((size, value) => Math.max(size, Math.abs(value)), 0)
          // The scale is rounded up to eleven bits; blocks that are far smaller than the largest are zeros.
          const allowed = Math.max((most / 127 / 2) * (1 + 2 ** -10), largest * 2 ** -26)
          block.forEach((value, i) =>
            expect(Math.abs(restored[start + i]! - value)).toBeLessThanOrEqual(allowed * (1 + 1e-6)),
          )
        }
      }),
    )
  })

  it('uses codes of -127 to 127, and scales that are zero or normal numbers of half precision', () => {
    fc.assert(
      fc.property(vectors, (values) => {
        const { bytes, codes, padding, unit } = restore(values)
        expect(Math.fround(unit)).toBe(unit)
        expect(Math.log2(unit)).toSatisfy(Number.isInteger)
        expect(padding.every((value) => value === 0)).toBe(true)
        for (let place = 0; place < bytes.length; place += blockBytes) {
          const scale = scaleAt(bytes, place)
          expect(scale === 0 || (scale >= 2 ** -14 && scale <= 65504)).toBe(true)
          for (const code of codes.subarray(place + 2, place + blockBytes))
            expect(Math.abs(code)).toBeLessThan(128)
        }
      }),
    )
  })

  it('keeps what is exact in 8 bits: zeros, and multiples of a power of two', () => {
    expect(restore(new Float32Array(40))).toMatchObject({ squaredError: 0, squaredNorm: 0 })
    const exact = Float32Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? 127 : -i) * 2 ** -40)
    expect(restore(exact).squaredError).toBe(0)
  })

  it.each([Infinity, -Infinity, NaN])('knows nothing of a vector with %d', (value) => {
    const { bytes, squaredError } = restore(Float32Array.of(1, value, 2))
    expect(squaredError).toBeNaN()
    expect(bytes.every((byte) => byte === 0)).toBe(true)
  })
})
