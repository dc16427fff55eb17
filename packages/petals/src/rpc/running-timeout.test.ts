import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startTimeout } from './running-timeout.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

/** Starts one of a second, in a process whose clock goes on by `paused()` beside what timers see. */
const startSecond = (paused: () => number = () => 0) => {
  const onOver = vi.fn()
  const stop = startTimeout(1000, onOver, () => performance.now() + paused())
  return { onOver, stop }
}

describe('a time for an answer', () => {
  it('is over when it has passed, and not before', () => {
    const { onOver } = startSecond()
    vi.advanceTimersByTime(999)
    expect(onOver).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(onOver).toHaveBeenCalledOnce()
  })

  it('does not end once it is stopped, also while it is put off', () => {
    let pausedMs = 0
    const [early, late] = [startSecond(), startSecond(() => pausedMs)]
    early.stop()
    pausedMs = 500
    vi.advanceTimersByTime(1000)
    late.stop()
    vi.runAllTimers()
    expect([early, late].map(({ onOver }) => onOver.mock.calls)).toEqual([[], []])
  })

  it('is put off by as long as this process paused', () => {
    let pausedMs = 0
    const { onOver } = startSecond(() => pausedMs)
    pausedMs = 300
    vi.advanceTimersByTime(1299)
    expect(onOver).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(onOver).toHaveBeenCalledOnce()
  })

  it('is put off by no more than it is long, however often and long this process pauses', () => {
    let pausedMs = 0
    const { onOver } = startSecond(() => (pausedMs += 700))
    vi.advanceTimersByTime(1999)
    expect(onOver).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(onOver).toHaveBeenCalledOnce()
  })
})
