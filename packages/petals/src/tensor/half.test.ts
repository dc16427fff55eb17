import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hex, toHex, vector } from '../../fixtures/vectors.ts'
import { fromBfloat16, fromFloat16, roundToFloat16, toBfloat16, toFloat16 } from './half.ts'
import { bytesOf, float32View } from './tensor.ts'

it.each([
  ['rounding/bfloat16', toBfloat16],
  ['rounding/float16', toFloat16],
] as const)('%s rounds as PyTorch does', (id, convert) => {
  const { float32_hex, hex: expected } = vector(id)
  expect(toHex(bytesOf(convert(float32View(hex(float32_hex)))))).toBe(expected)
})

describe.each([
  ['float16', fromFloat16, toFloat16],
  ['bfloat16', fromBfloat16, toBfloat16],
] as const)('%s', (_name, widen, narrow) => {
  it('every bit pattern but NaN survives widening and rounding back', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i)
    const wide = widen(all)
    const back = narrow(wide)
    const changed = all.filter((pattern, i) => back[i] !== pattern && !Number.isNaN(wide[i]))
    expect(Array.from(changed)).toEqual([])
  })

  it('NaN stays NaN', () => {
    expect(widen(narrow(Float32Array.of(NaN)))[0]).toBeNaN()
  })

  it('rounds to the nearest value, ties to even', () => {
    const property = fc.property(fc.float({ noNaN: true }), (value) => {
      const [pattern] = narrow(Float32Array.of(value))
      const [chosen] = widen(Uint16Array.of(pattern!))
      if (!Number.isFinite(chosen)) return
      const distance = Math.abs(chosen! - value)
      for (const neighbour of [pattern! - 1, pattern! + 1]) {
        if (neighbour < 0 || neighbour > 0xffff) continue
        const [other] = widen(Uint16Array.of(neighbour))
        if (!Number.isFinite(other)) continue
        const otherDistance = Math.abs(other! - value)
        expect(otherDistance).toBeGreaterThanOrEqual(distance)
        if (otherDistance === distance && other !== chosen) expect(pattern! % 2).toBe(0)
      }
    })
    fc.assert(property, { numRuns: 2000 })
  })
})

it('roundToFloat16 agrees with the bulk conversion', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true }), (value) => {
      expect(roundToFloat16(value)).toBe(fromFloat16(toFloat16(Float32Array.of(value)))[0])
    }),
  )
})
