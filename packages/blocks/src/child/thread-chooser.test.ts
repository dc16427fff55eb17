import { describe, expect, it } from 'vitest'
import { ThreadChooser, type StepWork } from './thread-chooser.ts'

const token: StepWork = { tokens: 1, blocks: 15, cells: 256 }
const usualMs = 10
const allMs = 6

/** What computes a step: how long it takes with 2 threads at a time of the simulated clock, and whether the machine says so. */
interface Machine {
  readonly allMs: (now: number) => number
  readonly isBusy?: (now: number) => boolean
  /** What the usual threads wait for cores. */
  readonly waitMs?: number
}
const idle: Machine = { allMs: () => allMs }
/** Another program computes from `start` until `end`: threads on all cores wait for each other. */
const busyFrom = (start: number, end = Infinity): Machine => ({
  allMs: (now) => (now >= start && now < end ? 900 : allMs),
})
const told = (machine: Machine): Machine => ({ ...machine, isBusy: (now) => machine.allMs(now) > allMs })

interface Step {
  readonly at: number
  /** What it took, the stopped part included. */
  readonly ms: number
  readonly threads: number
  readonly isStopped: boolean
}

/** Steps on a machine with 2 cores, one after the other, on a clock that only they move. */
class Simulation {
  now = 0
  machine = idle
  readonly chooser = new ThreadChooser(
    { usual: 1, most: 2 },
    { now: () => this.now, isBusy: () => this.machine.isBusy?.(this.now) ?? false },
  )

  step(work = token): Step {
    const at = this.now
    let isStopped = false
    for (;;) {
      const choice = this.chooser.choose(work)
      const { threads, limitMs = Infinity } = choice
      const { waitMs = 0 } = this.machine
      const undisturbedMs = (threads === 2 ? this.machine.allMs(this.now) : usualMs) * work.tokens
      const ms = Math.min(threads === 2 ? undisturbedMs : undisturbedMs + waitMs, limitMs)
      const isLate = undisturbedMs > limitMs
      this.now += ms
      this.chooser.report(work, choice, { ms, undisturbedMs, isStopped: isLate })
      isStopped ||= isLate
      if (!isLate) return { at, ms: this.now - at, threads, isStopped }
    }
  }

  run(ms: number, machine: Machine, work = token): readonly Step[] {
    this.machine = machine
    const end = this.now + ms
    const steps: Step[] = []
    while (this.now < end) steps.push(this.step(work))
    return steps
  }
}

const withAll = (steps: readonly Step[]): number => steps.filter(({ threads }) => threads === 2).length
const stopped = (steps: readonly Step[]): number => steps.filter(({ isStopped }) => isStopped).length
const meanMs = (steps: readonly Step[]): number => steps.reduce((sum, { ms }) => sum + ms, 0) / steps.length

describe('while the other cores are idle', () => {
  it('all threads compute every step, once it is known how long the usual ones take', () => {
    const steps = new Simulation().run(1000, idle)
    expect(steps[0]!.threads).toBe(1)
    expect(withAll(steps)).toBe(steps.length - 1)
    expect(stopped(steps)).toBe(0)
  })

  it('sizes of steps are learnt one by one', () => {
    const simulation = new Simulation()
    simulation.run(1000, idle)
    expect(simulation.step({ ...token, tokens: 8 }).threads).toBe(1)
    expect(simulation.step({ ...token, tokens: 8 }).threads).toBe(2)
    expect(simulation.step({ ...token, cells: 4096 }).threads).toBe(2)
  })

  it.each([
    ['a limit below the cores is kept', { usual: 1, most: 1 }],
    ['the last of many cores is left alone: it would do little', { usual: 9, most: 10 }],
  ])('%s', (_, range) => {
    const chooser = new ThreadChooser(range)
    const choice = chooser.choose(token)
    chooser.report(token, choice, { ms: 10, undisturbedMs: 10, isStopped: false })
    expect(chooser.choose(token)).toEqual({ threads: range.usual })
  })
})

describe('when another program begins to compute', () => {
  it('the step is stopped, ends with the usual threads in twice the time, and so do those after it', () => {
    const simulation = new Simulation()
    simulation.run(500, idle)
    simulation.machine = busyFrom(0)
    const steps = [simulation.step(), simulation.step(), simulation.step()]
    expect(steps.map(({ isStopped }) => isStopped)).toEqual([true, false, false])
    expect(steps[0]!.ms).toBeCloseTo(2 * usualMs)
    expect(withAll(steps)).toBe(0)
  })

  it('all threads are tried less and less often: a minute costs less than two hundredths', () => {
    const simulation = new Simulation()
    simulation.run(500, idle)
    const steps = simulation.run(60_000, busyFrom(0))
    expect(meanMs(steps)).toBeLessThan(usualMs * 1.02)
    expect(stopped(steps.filter(({ at }) => at > 30_000))).toBeLessThanOrEqual(4)
  })

  it('they are not tried at all where the system tells that it computes', () => {
    const simulation = new Simulation()
    simulation.run(500, idle)
    expect(stopped(simulation.run(60_000, told(busyFrom(0))))).toBe(1)
  })

  it('all threads that are hardly faster than the usual ones give way, too', () => {
    const simulation = new Simulation()
    simulation.run(500, idle)
    const steps = simulation.run(1000, { allMs: () => usualMs * 0.95 })
    expect(stopped(steps)).toBe(0)
    expect(withAll(steps)).toBeLessThan(8)
  })
})

describe('when the other program has ended', () => {
  it('all threads compute again, at once where the system tells it', () => {
    const simulation = new Simulation()
    simulation.run(500, idle)
    simulation.run(20_000, told(busyFrom(0)))
    expect(simulation.step().threads).toBe(1)
    simulation.machine = idle
    expect(simulation.step().threads).toBe(2)
  })

  it('elsewhere after a pause of ten seconds at most', () => {
    const simulation = new Simulation()
    simulation.run(500, idle)
    simulation.run(120_000, busyFrom(0))
    simulation.run(10_020, idle)
    expect(withAll(simulation.run(1000, idle))).toBeGreaterThan(160)
  })
})

describe('a program that computes now and then', () => {
  it('leads to longer and longer pauses, not to going back and forth', () => {
    const simulation = new Simulation()
    const machine: Machine = { allMs: (now) => (now % 100 < 50 ? allMs : 900) }
    const steps = simulation.run(60_000, machine)
    expect(stopped(steps)).toBeLessThan(20)
    expect(meanMs(steps)).toBeLessThan(usualMs * 1.02)
  })

  it('costs little if it is rare', () => {
    const simulation = new Simulation()
    const machine: Machine = { allMs: (now) => (now % 5000 < 4950 ? allMs : 900) }
    const steps = simulation.run(60_000, machine)
    expect(meanMs(steps)).toBeLessThan(allMs * 1.05)
  })
})

it('all threads must be faster than the usual ones on idle cores, not than those that wait for others', () => {
  const steps = new Simulation().run(10_000, { allMs: () => usualMs * 1.5, waitMs: 3 * usualMs })
  expect(withAll(steps)).toBe(0)
})
