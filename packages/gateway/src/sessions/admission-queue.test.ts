import { CapacityError } from '@petals-chat/engine'
import { describe, expect, it, vi } from 'vitest'
import { AdmissionQueue } from './admission-queue.ts'

const createQueue = (config: Partial<ConstructorParameters<typeof AdmissionQueue>[0]> = {}) =>
  new AdmissionQueue({ maxPermits: 1, queueLength: 10, queueTimeoutMs: 60_000, ...config })

/** Notes in `order` when `name` gets its permit. */
function enter(queue: AdmissionQueue, order: string[], name: string, signal?: AbortSignal): Promise<void> {
  return queue.enter({ signal }).then(() => void order.push(name))
}

describe('AdmissionQueue', () => {
  it('admits in the order of arrival', async () => {
    const queue = createQueue()
    const order: string[] = []
    await enter(queue, order, 'a')
    const waiting = [enter(queue, order, 'b'), enter(queue, order, 'c')]
    queue.leave(1)
    await waiting[0]
    expect(order).toEqual(['a', 'b'])
    queue.leave(1)
    await waiting[1]
    expect(order).toEqual(['a', 'b', 'c'])
  })

  it('lets no request overtake a waiting one, even if a permit is free', async () => {
    const queue = createQueue({ maxPermits: 2 })
    const order: string[] = []
    await enter(queue, order, 'a')
    await enter(queue, order, 'b')
    const shrunk = queue.shrink().then(() => order.push('b again'))
    const late = enter(queue, order, 'c')
    queue.leave(1)
    await Promise.all([shrunk, late])
    expect(order).toEqual(['a', 'b', 'b again', 'c'])
  })

  it('refuses at once when the queue is full, and says when to come again', async () => {
    const queue = createQueue({ queueLength: 1 })
    await queue.enter()
    const waiting = queue.enter()
    const error = await queue.enter().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(CapacityError)
    expect((error as CapacityError).retryAfterMs).toBeGreaterThanOrEqual(1_000)
    expect(queue.waiting).toBe(1)
    queue.leave(1)
    await waiting
  })

  it('tells longer waits when permits are held longer', async () => {
    const queue = createQueue({ queueLength: 0 })
    const retryAfterMs = async () =>
      ((await queue.enter().catch((reason: unknown) => reason)) as CapacityError).retryAfterMs
    await queue.enter()
    const before = await retryAfterMs()
    queue.leave(30_000)
    await queue.enter()
    expect(await retryAfterMs()).toBeGreaterThan(before)
  })

  it('forgets who stops waiting', async () => {
    const queue = createQueue()
    const order: string[] = []
    const controller = new AbortController()
    await enter(queue, order, 'a')
    const impatient = enter(queue, order, 'b', controller.signal)
    const patient = enter(queue, order, 'c')
    controller.abort(new Error('enough'))
    await expect(impatient).rejects.toThrow('enough')
    queue.leave(1)
    await patient
    expect(order).toEqual(['a', 'c'])
  })

  it('takes no permit for a signal that is aborted already', async () => {
    const queue = createQueue()
    await expect(queue.enter({ signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no')
    expect(queue.active).toBe(0)
  })

  it('ends a wait that takes too long', async () => {
    vi.useFakeTimers()
    try {
      const queue = createQueue({ queueTimeoutMs: 5_000 })
      await queue.enter()
      const waiting = expect(queue.enter()).rejects.toThrow('No session became free within 5 s')
      await vi.advanceTimersByTimeAsync(5_000)
      await waiting
      expect(queue.waiting).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('grows back to its limit as permits are given back', async () => {
    const queue = createQueue({ maxPermits: 3 })
    await Promise.all([queue.enter(), queue.enter(), queue.enter()])
    const shrunk = queue.shrink()
    expect(queue.active).toBe(2)
    queue.leave(1)
    await shrunk
    expect(queue.active).toBe(2)
    await queue.enter()
    expect(queue.active).toBe(3)
  })
})
