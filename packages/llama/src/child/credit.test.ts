import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Credit } from './credit.ts'

const isPending = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise.then(() => 'done'), sleep(5).then(() => 'pending')])) === 'pending'

describe('Credit', () => {
  const { signal } = new AbortController()

  it('blocks when it is used up, and continues when more is added', async () => {
    const credit = new Credit(2)
    await credit.take(signal)
    await credit.take(signal)
    const third = credit.take(signal)
    expect(await isPending(third)).toBe(true)
    credit.add(1)
    await third
  })

  it('blocks after a pause until `add` is called, even if credit is left', async () => {
    const credit = new Credit(5)
    credit.pause()
    const next = credit.take(signal)
    expect(await isPending(next)).toBe(true)
    credit.add(0)
    await next
  })

  it('rejects with the reason of an abort', async () => {
    const stop = new AbortController()
    const next = new Credit(0).take(stop.signal)
    stop.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
    await expect(new Credit(1).take(stop.signal)).rejects.toThrow('enough')
  })
})
