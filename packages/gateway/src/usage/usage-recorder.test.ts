import { silentLogger } from '@petals-chat/engine'
import type { UsageEntry } from '@petals-chat/access'
import { afterEach, expect, it, vi } from 'vitest'
import { createPrometheusMetrics } from '../metrics.ts'
import { UsageRecorder } from './usage-recorder.ts'

const use = { requests: 1, promptTokens: 2, cachedTokens: 0, completionTokens: 3, swarmMs: 0 } as const

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
  for (let second = 0; second < 60; second += 1) {
    recorder.record('key:a', 'model', use)
    vi.advanceTimersByTime(1_000)
  }
  expect(tries).toBeLessThanOrEqual(3)
  isLocked = false
  vi.advanceTimersByTime(60_000)
  expect(written).toMatchObject([{ caller: 'key:a', requests: 60, completionTokens: 180 }])
})

const recorderInMemory = () =>
  new UsageRecorder({ store: undefined, metrics: createPrometheusMetrics(), logger: silentLogger })
const always = { from: '2000-01-01', to: '2100-01-01' }

it('forgets without a store what is older than a month, when a day begins', async () => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1, 12) })
  await using recorder = recorderInMemory()
  recorder.record('key:a', 'model', use)
  vi.setSystemTime(Date.UTC(2026, 1, 1, 12))
  recorder.record('key:a', 'model', use)
  expect(recorder.read(always).map(({ day }) => day)).toEqual(['2026-01-01', '2026-02-01'])
  vi.setSystemTime(Date.UTC(2026, 1, 2, 0))
  recorder.record('key:a', 'model', use)
  expect(recorder.read(always).map(({ day }) => day)).toEqual(['2026-02-01', '2026-02-02'])
})

it('writes the name of a day seldom, because that takes long', async () => {
  vi.useFakeTimers({ now: Date.UTC(2026, 2, 1, 12) })
  await using recorder = recorderInMemory()
  const named = vi.spyOn(Date.prototype, 'toISOString')
  try {
    for (let request = 0; request < 100; request += 1) recorder.record('key:a', 'model', use)
    // Today, the oldest day that is kept, and today once more: one name is kept.
    expect(named.mock.calls.length).toBeLessThanOrEqual(3)
  } finally {
    named.mockRestore()
  }
})
