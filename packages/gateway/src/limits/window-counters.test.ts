import { expect, it } from 'vitest'
import { memoryCounters } from './window-counters.ts'

it('counts each key by itself, up and down, until its window ends', async () => {
  await using counters = memoryCounters()
  expect(await counters.peek('a')).toBeUndefined()
  await counters.add('a', 5, 1)
  await counters.add('b', 7, 60)
  expect(await counters.add('a', -2, 1)).toMatchObject({ used: 3 })
  expect(await counters.peek('b')).toMatchObject({ used: 7 })
  const { resetMs } = (await counters.peek('a'))!
  expect(resetMs).toBeLessThanOrEqual(1_000)
  await expect.poll(() => counters.peek('a')).toBeUndefined()
  expect(await counters.add('a', 1, 1)).toMatchObject({ used: 1 })
})
