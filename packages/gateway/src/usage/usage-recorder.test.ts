import { silentLogger } from '@petals-chat/engine'
import type { UsageEntry } from '@petals-chat/access'
import { afterEach, expect, it, vi } from 'vitest'
import { createPrometheusMetrics } from '../metrics.ts'
import { UsageRecorder } from './usage-recorder.ts'

afterEach(() => {
  vi.useRealTimers()
})

it('keeps what can not be written, and seldom tries again, because each try may stop the process', async () => {
  vi.useFakeTimers()
  const written: UsageEntry[] = []
  let [tries, isLocked] = [0, true]
  const add = (entries: readonly UsageEntry[]) => {
    tries += 1
    if (isLocked) throw new Error('database is locked')
    written.push(...entries)
  }
  const store = { add, read: () => [] }
  await using recorder = new UsageRecorder({
    store,
    metrics: createPrometheusMetrics(),
    logger: silentLogger,
  })
  const use = { requests: 1, promptTokens: 2, cachedTokens: 0, completionTokens: 3, swarmMs: 0 } as const
  for (let second = 0; second < 60; second += 1) {
    recorder.record('key:a', 'model', use)
    vi.advanceTimersByTime(1_000)
  }
  expect(tries).toBeLessThanOrEqual(3)
  isLocked = false
  vi.advanceTimersByTime(60_000)
  expect(written).toMatchObject([{ caller: 'key:a', requests: 60, completionTokens: 180 }])
})
