import { describe, expect, it } from 'vitest'
import { StepWatch } from './step-watch.ts'

const size = { tokens: 1, blocks: 10, threads: 2 }

/** A watch on a process whose clocks only move when they are told to. */
function watched() {
  let usage = { wallMs: 0, cpuMs: 0, faults: 0 }
  const watch = new StepWatch(() => usage)
  const pass = (wallMs: number, cpuMs: number): void => {
    usage = { ...usage, wallMs: usage.wallMs + wallMs, cpuMs: usage.cpuMs + cpuMs }
  }
  const step = (ms: number, of = size): Promise<void> =>
    watch.timed(of, async () => pass(ms, ms * of.threads))
  /** Returns the seconds after which a step counts as hung; undefined if it never does. */
  const hang = async (cpuMs: number, of = size, looks = 2000): Promise<number | undefined> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const hung = watch.timed(of, () => promise)
    let seconds: number | undefined
    for (let look = 1; look <= looks && seconds === undefined; look++) {
      pass(500, cpuMs)
      if (watch.overdueMs() !== undefined) seconds = look / 2
    }
    resolve()
    await hung
    return seconds
  }
  return { watch, step, hang }
}

describe('a step hangs', () => {
  it('if it computes for many times as long as those before it, and at least for 15 s', async () => {
    const { step, hang } = watched()
    for (let count = 0; count < 20; count++) await step(5)
    expect(await hang(1000)).toBe(15.5)
  })

  it('on a slow machine after as many times as long', async () => {
    const { step, hang } = watched()
    for (let count = 0; count < 20; count++) await step(3000)
    expect(await hang(1000)).toBe(90.5)
  })

  it('later if it has more tokens or blocks than any before it', async () => {
    const { step, hang } = watched()
    for (let count = 0; count < 20; count++) await step(400)
    expect(await hang(1000, { tokens: 32, blocks: 20, threads: 2 })).toBe(768.5)
  })

  it('after two minutes if it is the first', async () => {
    expect(await watched().hang(1000)).toBe(120.5)
  })

  it('much later while other programs have the cores', async () => {
    const { step, hang } = watched()
    for (let count = 0; count < 20; count++) await step(5)
    expect(await hang(100)).toBeGreaterThan(140)
  })

  it('not between steps', async () => {
    const { watch, step } = watched()
    await step(5)
    expect(watch.overdueMs()).toBeUndefined()
  })
})
