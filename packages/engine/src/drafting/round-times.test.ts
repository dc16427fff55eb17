import { describe, expect, it } from 'vitest'
import { RoundTimes, stepWidths } from './round-times.ts'

describe('RoundTimes', () => {
  it('knows nothing at first, then guesses the widths that were not measured as CPUs would do', () => {
    const times = new RoundTimes()
    expect(times.of(1)).toBeUndefined()
    times.record(1, 100)
    expect(times.of(1)).toBe(100)
    expect(times.of(8)).toBeGreaterThan(150)
    expect(times.isKnown(8)).toBe(false)
  })

  it('takes no step for slower than a wider one', () => {
    const times = new RoundTimes()
    times.record(1, 500) // a hiccup
    times.record(16, 110)
    expect(stepWidths.filter((width) => width <= 16).map((width) => times.of(width))).toEqual(
      stepWidths.filter((width) => width <= 16).map(() => 110),
    )
  })

  it('forgets hiccups, and what was long ago', () => {
    const times = new RoundTimes()
    for (const ms of [10, 10, 900, 10, 10]) times.record(4, ms)
    expect(times.of(5)).toBe(10)
    for (let i = 0; i < 300; i++) times.record(1, 9)
    expect(times.isKnown(4)).toBe(false)
  })
})
