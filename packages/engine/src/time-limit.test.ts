import { describe, expect, it } from 'vitest'
import { TimeLimit, TimeLimitExceeded } from './time-limit.ts'

/** Hours of work for a backtracking engine. */
const endless = () => /^(a+)+$/.test(`${'a'.repeat(60)}b`)

describe('TimeLimit', () => {
  it('returns and throws what the task does', () => {
    const limit = new TimeLimit(1000)
    expect(limit.run(() => limit.run(() => 'inner') + ' in outer')).toBe('inner in outer')
    const failure = new RangeError('own error')
    expect(() =>
      limit.run(() => {
        throw failure
      }),
    ).toThrow(failure)
  })

  it('ends a regular expression and a loop, and gives less time after that', () => {
    const limit = new TimeLimit(300)
    expect(() => limit.run(endless)).toThrow(new TimeLimitExceeded(300))
    expect(() =>
      limit.run(() => {
        for (;;);
      }),
    ).toThrow(new TimeLimitExceeded(30))
    expect(() => limit.run(endless, 20)).toThrow(new TimeLimitExceeded(50))
    expect(limit.run(() => 'goes on')).toBe('goes on')
    expect(() => new TimeLimit(100).run(endless)).toThrow(new TimeLimitExceeded(100))
  })

  it('counts no time in which the thread does not compute, as on a busy machine or one that was asleep', () => {
    const limit = new TimeLimit(100)
    let runs = 0
    const waits = () => {
      runs++
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
      return 'in the end'
    }
    expect(limit.run(waits)).toBe('in the end')
    expect(runs).toBe(2)
    expect(() =>
      limit.run(() => {
        waits()
        return endless()
      }),
    ).toThrow(new TimeLimitExceeded(100))
  })
})
