import { describe, expect, it } from 'vitest'
import { Acceptance } from './acceptance.ts'

describe('Acceptance', () => {
  it('learns that a kind of text is quoted, and then that it is not', () => {
    const acceptance = new Acceptance()
    const before = acceptance.rate(3)
    for (let i = 0; i < 30; i++) acceptance.note(3, true)
    expect(acceptance.rate(3)).toBeGreaterThan(0.85)
    expect(acceptance.rate(2)).toBeLessThan(0.3)
    for (let i = 0; i < 60; i++) acceptance.note(3, false)
    expect(acceptance.rate(3)).toBeLessThan(before / 2)
    const survival = acceptance.survival(10, 6)
    expect([...survival]).toEqual([...survival].sort((a, b) => b - a))
    expect(acceptance.survival(0, 2)).toEqual(new Float64Array(2))
  })
})
