import { describe, expect, it } from 'vitest'
import { StepClock, type Usage } from './step-clock.ts'

/** What the process uses between two looks, which are half a second apart unless it says otherwise. */
type Look = Partial<Usage>

/** Looks at a step of two threads again and again. Returns the seconds after which it counts as hung; undefined if it never does. */
function secondsUntilHung(expectedMs: number | undefined, look: Look, looks = 1000): number | undefined {
  let usage: Usage = { wallMs: 0, cpuMs: 0, faults: 0 }
  const clock = new StepClock({ expectedMs, threads: 2, usage: () => usage })
  for (let count = 0; count < looks; count++) {
    usage = {
      wallMs: usage.wallMs + (look.wallMs ?? 500),
      cpuMs: usage.cpuMs + (look.cpuMs ?? 0),
      faults: usage.faults + (look.faults ?? 0),
    }
    if (clock.hangs()) return clock.elapsedMs / 1000
  }
  return undefined
}

/** Both threads compute all the time. */
const spins = { cpuMs: 1000 }

describe('StepClock', () => {
  it('finds within seconds that a step of a fast model hangs', () => {
    expect(secondsUntilHung(8, spins)).toBe(2.5)
    expect(secondsUntilHung(60, spins)).toBe(2.5)
  })

  it('gives a slow model and a long prompt many times what their steps take', () => {
    expect(secondsUntilHung(2000, spins)).toBe(60.5)
    expect(secondsUntilHung(64 * 8, spins)).toBe(15.5)
  })

  it('knows no limit before the first step', () => {
    expect(secondsUntilHung(undefined, spins)).toBeUndefined()
  })

  it('counts what the step has computed while other programs have the cores', () => {
    expect(secondsUntilHung(8, { cpuMs: 100 }, 35)).toBeUndefined()
    expect(secondsUntilHung(8, { cpuMs: 250 })).toBe(8.5)
  })

  it('ends a step that waits for something that never comes', () => {
    expect(secondsUntilHung(8, { cpuMs: 0 })).toBe(30.5)
  })

  it('waits while the model is read from the disk, and counts no sleep of the machine', () => {
    expect(secondsUntilHung(8, { cpuMs: 600, faults: 40 })).toBeUndefined()
    expect(secondsUntilHung(8, { wallMs: 3_600_000, cpuMs: 1 }, 25)).toBeUndefined()
  })
})
