import { describe, expect, it } from 'vitest'
import { ThreadGovernor, threadLevels } from './thread-governor.ts'

/** Runs single-token steps whose time is the `cost` of the chosen threads. Returns how often each number was chosen. */
function run(
  governor: ThreadGovernor,
  steps: number,
  cost: (threads: number) => number,
): Map<number, number> {
  const chosen = new Map<number, number>()
  for (let step = 0; step < steps; step++) {
    const threads = governor.choose(1)
    chosen.set(threads, (chosen.get(threads) ?? 0) + 1)
    governor.report(1, threads, cost(threads))
  }
  return chosen
}

const idle = (threads: number) => 12 / threads
/** Another process uses a core: a step on all cores waits for it. */
const busy = (threads: number) => (threads === 2 ? 40 : 12)

describe('ThreadGovernor', () => {
  it('uses all cores while that is fastest', () => {
    const chosen = run(new ThreadGovernor([2, 1]), 1000, idle)
    expect(chosen.get(2)).toBeGreaterThan(980)
  })

  it('uses fewer cores soon after other programs use them', () => {
    const governor = new ThreadGovernor([2, 1])
    run(governor, 200, idle)
    expect(run(governor, 100, busy).get(1)).toBeGreaterThan(90)
  })

  it('returns to all cores when they are free again, and probes less and less often until then', () => {
    const governor = new ThreadGovernor([2, 1])
    run(governor, 200, idle)
    expect(run(governor, 5000, busy).get(2)).toBeLessThan(30)
    run(governor, 15_000, idle)
    expect(run(governor, 100, idle).get(2)).toBeGreaterThan(90)
  })

  it('measures batches of other sizes separately', () => {
    const governor = new ThreadGovernor([2, 1])
    run(governor, 200, busy)
    expect(governor.choose(1)).toBe(1)
    expect(governor.choose(100)).toBe(2)
    governor.report(100, 2, 50, 100)
    expect(governor.choose(100)).toBe(2)
  })

  it('tells the speed of prompts from steps that compute them, not from those of many answers', () => {
    const governor = new ThreadGovernor([1])
    governor.report(1, 1, 20)
    governor.report(16, 1, 32)
    expect(governor.prefillTokensPerMs).toBeUndefined()
    governor.report(100, 1, 50, 100)
    governor.report(16, 1, 32)
    governor.report(40, 1, 80, 16)
    expect(governor.prefillTokensPerMs).toBe(2)
    governor.report(20, 1, 20, 16)
    expect(governor.prefillTokensPerMs).toBeCloseTo(1.7)
  })

  it('always uses a fixed number', () => {
    expect(run(new ThreadGovernor([3]), 500, busy)).toEqual(new Map([[3, 500]]))
  })
})

describe('threadLevels', () => {
  it('offers all cores, all but one, and half of them', () => {
    expect(threadLevels(16)).toEqual([16, 15, 8])
    expect(threadLevels(2)).toEqual([2, 1])
    expect(threadLevels(1)).toEqual([1])
  })

  it('tells how long a step takes with the slowest number of threads, from smaller steps if there was none of its size', () => {
    const governor = new ThreadGovernor([2, 1])
    expect(governor.expectedMs(1)).toBeUndefined()
    expect(governor.expectedMs(64)).toBeUndefined()
    governor.report(1, 2, 8)
    governor.report(1, 1, 12)
    expect(governor.expectedMs(1)).toBe(12)
    expect(governor.expectedMs(64)).toBe(64 * 12)
    governor.report(100, 2, 300)
    expect(governor.expectedMs(64)).toBe(64 * 3)
  })
})
