import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { untilIdle } from './until-idle.ts'

/** Keeps the event loop busy until the signal aborts. */
async function beBusy(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const until = performance.now() + 30
    while (performance.now() < until);
    await sleep(0)
  }
}

describe('waiting for an idle process', () => {
  it('ends when the process has nothing to do, however long the start still takes', async () => {
    await expect(untilIdle(new Promise(() => {}))).resolves.toBeUndefined()
  })

  it('goes on while the process is busy', async () => {
    const busy = new AbortController()
    const working = beBusy(busy.signal)
    let isIdle = false
    const waiting = untilIdle(new Promise(() => {})).then(() => (isIdle = true))
    await sleep(500)
    expect(isIdle).toBe(false)
    busy.abort()
    await working
    await waiting
  })

  it.each(['done', 'failed'])('ends when the start is %s, also in a busy process', async (how) => {
    const busy = new AbortController()
    const working = beBusy(busy.signal)
    const end = Promise.withResolvers<void>()
    const waiting = untilIdle(end.promise)
    if (how === 'done') end.resolve()
    else end.reject(new Error('failed'))
    await waiting
    expect(busy.signal.aborted).toBe(false)
    busy.abort()
    await working
  })
})
