import {
  forwardModel,
  greedy,
  type Model,
  modelSpecSchema,
  silentLogger,
  silentMetrics,
} from '@petals-chat/engine'
import { ScriptedEngine } from '@petals-chat/engine/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { gatewayConfigSchema } from '../config.ts'
import type { AcquireRequest, SessionLease, SessionPool } from '../context.ts'
import { createSessionPool } from './session-pool.ts'

/** Sessions for which the servers of others have room, beside those of this pool. */
let places: number
let looked: number
/** The longest prompt for which was looked. */
let longest: number
/** What the next looks find. */
let found: number | undefined
let engine: ScriptedEngine
let model: Model
let pool: SessionPool

beforeEach(async () => {
  vi.useFakeTimers()
  looked = 0
  longest = 0
  found = undefined
  engine = new ScriptedEngine({})
  const loaded = await engine.load(modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' }))
  model = forwardModel(loaded, {
    room: {
      has: ({ promptLength }, count) => {
        return count <= 0 || engine.openSessions + count * (promptLength / 2) <= places
      },
      async look({ promptLength }) {
        looked += 1
        longest = Math.max(longest, promptLength)
        places = found ?? places
      },
    },
  })
  const { sessions } = gatewayConfigSchema.parse({ sessions: { queueTimeoutMs: 10_000 } })
  pool = createSessionPool(sessions, { logger: silentLogger, metrics: silentMetrics })
})
afterEach(async () => {
  await pool[Symbol.asyncDispose]()
  vi.useRealTimers()
})

const acquire = (more: Partial<AcquireRequest> = {}): Promise<SessionLease> =>
  pool.acquire(model, { tokens: [72, 105], maxLength: 512, ...more })
const settle = () => vi.advanceTimersByTimeAsync(0)
/** Requests a session; tells its places in the queue, and whether it has come. */
function ask(more: Partial<AcquireRequest> = {}) {
  const told: (number | undefined | 'here')[] = []
  const lease = acquire({ onPlace: (place) => void told.push(place), ...more })
  void lease.then(
    () => told.push('here'),
    () => {},
  )
  return { told, lease }
}

describe('sessions whose servers others use, too', () => {
  it('wait in the queue, and know their places, until there is room', async () => {
    places = 2
    const asked = Array.from({ length: 4 }, () => ask())
    await settle()
    expect(asked.map(({ told }) => told)).toEqual([['here'], ['here'], [1], [2]])
    await (await asked[0]!.lease)[Symbol.asyncDispose]()
    await settle()
    expect(asked.slice(2).map(({ told }) => told)).toEqual([
      [1, undefined, 'here'],
      [2, 1],
    ])
    await (await asked[1]!.lease)[Symbol.asyncDispose]()
    await settle()
    expect(asked[3]!.told).toEqual([2, 1, undefined, 'here'])
  })

  it('are never all kept waiting: one may ask the servers itself', async () => {
    places = 0
    const [first, second] = [ask(), ask()]
    await settle()
    expect([first.told, second.told]).toEqual([['here'], [1]])
  })

  it('look every two seconds whether others have left room', async () => {
    places = 1
    const [, second] = [ask(), ask()]
    await settle()
    expect(looked).toBe(1)
    await vi.advanceTimersByTimeAsync(3000)
    expect([looked, second.told]).toEqual([2, [1]])
    found = 2
    await vi.advanceTimersByTimeAsync(2000)
    expect([looked, second.told]).toEqual([3, [1, undefined, 'here']])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(looked).toBe(3)
  })

  it('look for the longest session that waits, whichever came first', async () => {
    places = 1
    const [, second, third] = [ask(), ask(), ask({ tokens: [72, 105, 72, 105] })]
    await vi.advanceTimersByTimeAsync(2000)
    expect(longest).toBe(4)
    found = 2
    await vi.advanceTimersByTimeAsync(2000)
    expect([second.told, third.told]).toEqual([
      [1, undefined, 'here'],
      [2, 1],
    ])
    found = 4
    await vi.advanceTimersByTimeAsync(2000)
    expect(third.told).toEqual([2, 1, undefined, 'here'])
  })

  it('wait for a limited time, or until their clients leave', async () => {
    places = 1
    const leaving = new AbortController()
    const [, second, third] = [ask(), ask(), ask({ signal: leaving.signal })]
    await settle()
    leaving.abort(new Error('left'))
    await expect(third.lease).rejects.toThrow('left')
    const refused = expect(second.lease).rejects.toThrow('No session became free within 10 s')
    await vi.advanceTimersByTimeAsync(10_000)
    await refused
  })

  it.each([
    ['take the room of idle ones', undefined, 1],
    ['close no idle ones if there is room by now, of which nothing was known yet', 2, 2],
  ])('%s', async (_, room, open) => {
    places = 1
    const { session, ...lease } = await acquire()
    for await (const _token of session.generate([72, 105], { sampling: greedy })) break
    await lease[Symbol.asyncDispose]()
    found = room
    const next = ask({ account: 'other' })
    await settle()
    expect(next.told).toEqual(['here'])
    expect(engine.openSessions).toBe(open)
  })

  it('are not opened in advance where there is no room', async () => {
    places = 0
    const open = vi.spyOn(model, 'openSession')
    await pool.prewarm(
      { ...model, room: { has: () => false, look: async () => {} } },
      { owner: {}, maxLength: 64 },
    )
    expect(open).not.toHaveBeenCalled()
  })
})
