import { describe, expect, it } from 'vitest'
import { ThreadGovernor, threadLevels } from './thread-governor.ts'

/** Runs steps of one token that take as long as `cost` says for the threads chosen; gives how often each was chosen. */
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
/** Another process holds a core: whoever uses all of them waits. */
const busy = (threads: number) => (threads === 2 ? 40 : 12)

describe('ThreadGovernor', () => {
  it('keeps to all cores while that is fastest', () => {
    const chosen = run(new ThreadGovernor([2, 1]), 1000, idle)
    expect(chosen.get(2)).toBeGreaterThan(980)
  })

  it('takes fewer soon after others use the cores', () => {
    const governor = new ThreadGovernor([2, 1])
    run(governor, 200, idle)
    expect(run(governor, 100, busy).get(1)).toBeGreaterThan(90)
  })

  it('comes back when the cores are free again, and tries in vain ever less often', () => {
    const governor = new ThreadGovernor([2, 1])
    run(governor, 200, idle)
    expect(run(governor, 5000, busy).get(2)).toBeLessThan(30)
    run(governor, 15_000, idle)
    expect(run(governor, 100, idle).get(2)).toBeGreaterThan(90)
  })

  it('judges batches of other sizes by themselves', () => {
    const governor = new ThreadGovernor([2, 1])
    run(governor, 200, busy)
    expect(governor.choose(1)).toBe(1)
    expect(governor.choose(100)).toBe(2)
    governor.report(100, 2, 50)
    expect(governor.prefillTokensPerMs).toBe(2)
  })

  it('obeys a fixed number', () => {
    expect(run(new ThreadGovernor([3]), 500, busy)).toEqual(new Map([[3, 500]]))
  })
})

describe('threadLevels', () => {
  it('leaves a core to others, or half of them', () => {
    expect(threadLevels(16)).toEqual([16, 15, 8])
    expect(threadLevels(2)).toEqual([2, 1])
    expect(threadLevels(1)).toEqual([1])
  })
})
