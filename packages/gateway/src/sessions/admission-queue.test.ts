import { CapacityError } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AdmissionQueue } from './admission-queue.ts'

const createQueue = (config: Partial<ConstructorParameters<typeof AdmissionQueue>[0]> = {}) =>
  new AdmissionQueue({
    maxPermits: 1,
    queueLength: 10,
    queueTimeoutMs: 60_000,
    unreadGraceMs: 5_000,
    ...config,
  })

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

  it('admits the client of one request before the further ones of a client that sent many', async () => {
    const queue = createQueue()
    const order: string[] = []
    const admitted = (client: string, name: string) =>
      queue.enter({ account: client }).then(() => order.push(name))
    await admitted('greedy', 'greedy 1')
    const waiting = [
      admitted('greedy', 'greedy 2'),
      admitted('greedy', 'greedy 3'),
      admitted('modest', 'modest'),
    ]
    queue.leave(100, { account: 'greedy' })
    await waiting[2]
    queue.leave(100, { account: 'modest' })
    await waiting[0]
    queue.leave(100, { account: 'greedy' })
    await Promise.all(waiting)
    expect(order).toEqual(['greedy 1', 'modest', 'greedy 2', 'greedy 3'])
  })

  it('refuses the newest request of the greediest client when another one finds the queue full', async () => {
    const queue = createQueue({ queueLength: 3 })
    await queue.enter({ account: 'greedy' })
    const greedy = [1, 2, 3].map(() => queue.enter({ account: 'greedy' }).catch((error: unknown) => error))
    const modest = queue.enter({ account: 'modest' })
    expect(await greedy[2]).toBeInstanceOf(CapacityError)
    await expect(queue.enter({ account: 'greedy' })).rejects.toBeInstanceOf(CapacityError)
    expect(queue.waiting).toBe(3)
    queue.leave(1, { account: 'greedy' })
    await modest
  })

  it('tells without any change whether it would refuse a claim', async () => {
    const queue = createQueue({ queueLength: 3 })
    const refuses = (account: string) => {
      try {
        queue.assertRoom({ account })
        return false
      } catch (error) {
        return (error as CapacityError).retryAfterMs >= 1_000
      }
    }
    expect(refuses('greedy')).toBe(false)
    await queue.enter({ account: 'greedy' })
    const waiting = [1, 2, 3].map(() => queue.enter({ account: 'greedy' }))
    expect([refuses('greedy'), refuses('modest'), queue.waiting]).toEqual([true, false, 3])
    queue.assertRoom({ account: 'greedy', isContinued: true })
    for (const each of waiting) {
      queue.leave(1, { account: 'greedy' })
      await each
    }
  })

  it('lets a request that was begun wait in a full queue without a limit of time', async () => {
    vi.useFakeTimers()
    try {
      const queue = createQueue({ queueLength: 0, queueTimeoutMs: 1_000 })
      await queue.enter({ account: 'a' })
      const continued = queue.enter({ account: 'b', isContinued: true })
      await vi.advanceTimersByTimeAsync(10_000)
      expect(queue.waiting).toBe(1)
      queue.leave(10_000, { account: 'a' })
      await continued
    } finally {
      vi.useRealTimers()
    }
  })

  it('admits an answer that is not being read after those that are, and refuses it first', async () => {
    const queue = createQueue({ queueLength: 2 })
    const unread = { reader: { unreadMs: 5_000, giveWay: () => {} } }
    const order: string[] = []
    await queue.enter()
    const waiting = queue.enter(unread).then(() => order.push('unread'))
    const read = queue.enter().then(() => order.push('read'))
    queue.leave(1)
    await read
    expect(order).toEqual(['read'])
    const refused = expect(waiting).rejects.toBeInstanceOf(CapacityError)
    const others = [queue.enter(), queue.enter()]
    await refused
    for (const other of others) {
      queue.leave(1)
      await other
    }
  })
})

it('tells each request its place, and when its turn has come', async () => {
  const queue = createQueue()
  const told: Record<string, (number | undefined)[]> = {}
  const wait = (name: string, signal?: AbortSignal) => {
    const places: (number | undefined)[] = (told[name] = [])
    return queue.enter({ account: name, signal, onPlace: (place) => void places.push(place) })
  }
  await wait('a')
  const leaving = new AbortController()
  const waiting = [wait('b'), wait('c', leaving.signal), wait('d')]
  expect(told).toEqual({ a: [], b: [1], c: [2], d: [3] })
  leaving.abort(new Error('enough'))
  await expect(waiting[1]).rejects.toThrow('enough')
  expect(told.d).toEqual([3, 2])
  queue.leave(1, { account: 'a' })
  await waiting[0]
  expect(told).toEqual({ a: [], b: [1, undefined], c: [2], d: [3, 2, 1] })
})

it('tells a new place when a client with a better claim comes', async () => {
  const queue = createQueue({ maxPermits: 2 })
  const places: (number | undefined)[] = []
  await queue.enter({ account: 'greedy' })
  await queue.enter({ account: 'greedy' })
  const waiting = queue.enter({ account: 'greedy', onPlace: (place) => void places.push(place) })
  const other = queue.enter({ account: 'new' })
  expect(places).toEqual([1, 2])
  queue.leave(1, { account: 'greedy' })
  await other
  queue.leave(1, { account: 'greedy' })
  await waiting
  expect(places).toEqual([1, 2, 1, undefined])
})

describe('a request for more room than there is', () => {
  /** A queue in which one client has a permit, and a request for more than 1 does not fit. */
  async function crowded() {
    const queue = createQueue({ maxPermits: 8 })
    await queue.enter({ account: 'first' })
    const order: string[] = []
    const ask = (
      account: string,
      room: number,
      more: { signal?: AbortSignal; isContinued?: boolean } = {},
    ) => {
      const admitted = queue.enter({ account, ...more }, { hasRoom: () => room <= 1 })
      return admitted.then(() => void order.push(account))
    }
    return { queue, order, ask }
  }
  const later = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('keeps others waiting for ten seconds, so that room gathers for it; then they pass it', async () => {
    const { queue, order, ask } = await crowded()
    void ask('big', 9)
    void ask('small', 1)
    await later(9_000)
    queue.roomChanged()
    expect(order).toEqual([])
    await later(1_000)
    queue.roomChanged()
    await later(0)
    expect(order).toEqual(['small'])
    // It does so once, also if others come later.
    await ask('late', 1)
    queue.leave(1, { account: 'first' })
    queue.leave(1, { account: 'small' })
    queue.leave(1, { account: 'late' })
    await later(0)
    expect(order).toEqual(['small', 'late', 'big'])
  })

  it('costs its client the time of the others: its next one comes after theirs', async () => {
    const { queue, order, ask } = await crowded()
    const leaving = new AbortController()
    const left = ask('big', 9, { signal: leaving.signal }).catch(() => {})
    void ask('small', 1)
    await later(10_000)
    queue.roomChanged()
    leaving.abort(new Error('left'))
    await left
    void ask('big', 9)
    await ask('other', 1)
    expect(order).toEqual(['small', 'other'])
  })

  it('holds up no other when it has left', async () => {
    const { order, ask } = await crowded()
    const leaving = new AbortController()
    const left = ask('big', 9, { signal: leaving.signal }).catch(() => {})
    void ask('small', 1)
    leaving.abort(new Error('left'))
    await left
    expect(order).toEqual(['small'])
  })

  it('is not passed if it goes on with an answer: it would wait without end', async () => {
    const { queue, order, ask } = await crowded()
    void ask('big', 9, { isContinued: true })
    void ask('small', 1)
    await later(30_000)
    queue.roomChanged()
    queue.leave(1, { account: 'first' })
    await later(0)
    expect(order).toEqual(['big', 'small'])
  })
})
