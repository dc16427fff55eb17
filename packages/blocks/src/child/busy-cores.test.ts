import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { wouldShareCores } from './busy-cores.ts'

const onTwoCores = (threads: number, load: string | undefined): boolean =>
  wouldShareCores(threads, { cores: 2, read: () => load })

/** Sandboxes that count nothing say 0. */
const isTold = process.platform === 'linux' && !/ 0\/\d+ /.test(readFileSync('/proc/loadavg', 'latin1'))

describe('threads would share cores', () => {
  it('if more of them compute than others leave free', () => {
    expect(onTwoCores(2, '0.10 0.20 0.30 2/151 4711\n')).toBe(true)
    expect(onTwoCores(1, '0.10 0.20 0.30 2/151 4711\n')).toBe(false)
    expect(onTwoCores(1, '0.10 0.20 0.30 3/151 4711\n')).toBe(true)
  })

  it('not if only the thread that asks runs', () => {
    expect(onTwoCores(2, '9.10 9.20 9.30 1/151 4711\n')).toBe(false)
  })

  it('not if the system does not tell it', () => {
    expect(onTwoCores(2, undefined)).toBe(false)
    expect(onTwoCores(2, '0.00 0.00 0.00 0/0 0\n')).toBe(false)
  })

  it.runIf(isTold)('by what this system says at the moment', () => {
    expect(wouldShareCores(1, { cores: 100_000 })).toBe(false)
    // As many threads as cores, and more than none of the others run: this one.
    expect(wouldShareCores(2, { cores: 1 })).toBe(true)
  })
})
