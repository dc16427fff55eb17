import { describe, expect, it } from 'vitest'
import { CacheAdmission } from './cache-admission.ts'
import { CacheFullError } from './errors.ts'
import type { Room } from './room.ts'

const [blocks, total] = [4, 100]

/** By default, room that is not in use counts as idle at once, but not as idle for long. */
const admission = (idleMs = 0, longIdleMs = 3_600_000): CacheAdmission =>
  new CacheAdmission(blocks, total, { idleMs, longIdleMs })

interface Asked {
  readonly timeoutMs?: number
  readonly blocks?: readonly [number, number]
  /** Default: one of its own. */
  readonly origin?: string
}

/** Owners whose rooms are released as soon as they are asked back, and the names of those. */
class Owners {
  readonly reclaimed: string[] = []
  readonly #cache: CacheAdmission

  constructor(cache: CacheAdmission) {
    this.#cache = cache
  }

  async take(
    owner: string,
    cells: number,
    { timeoutMs = 0, blocks: [from, to] = [0, blocks], origin = owner }: Asked = {},
  ) {
    const onReclaim = (): void => {
      this.reclaimed.push(owner)
      // A session has to be closed first.
      setTimeout(() => room.release())
    }
    const room: Room = await this.#cache.take({ from, to, cells, timeoutMs, owner, origin, onReclaim })
    return room
  }

  async takeMany(owner: string, count: number, cells: number): Promise<readonly Room[]> {
    const rooms: Room[] = []
    for (let index = 0; index < count; index++) rooms.push(await this.take(owner, cells))
    return rooms
  }
}

describe('the room of a KV cache', () => {
  it('goes to one owner alone while no other one wants it', async () => {
    const cache = admission()
    const owners = new Owners(cache)
    await owners.takeMany('a', 10, 10)
    expect(cache.free).toBe(0)
    await expect(owners.take('a', 1)).rejects.toThrow(CacheFullError)
    expect(owners.reclaimed).toEqual([])
  })

  it('that is idle comes back for an owner that has less, until both have as much', async () => {
    const cache = admission()
    const owners = new Owners(cache)
    await owners.takeMany('a', 10, 10)
    await owners.takeMany('b', 5, 10)
    expect(owners.reclaimed).toEqual(Array(5).fill('a'))
    await expect(owners.take('b', 10)).rejects.toThrow(CacheFullError)
    expect(cache.free).toBe(0)
  })

  it('comes back from the longest idle session first', async () => {
    const cache = admission()
    const owners = new Owners(cache)
    const rooms = await owners.takeMany('a', 10, 10)
    await new Promise((resolve) => setTimeout(resolve, 2))
    for (const room of rooms.toSpliced(3, 1)) room.use()()
    await owners.take('b', 10)
    rooms[3]!.release() // gives nothing back: it was taken
    expect(cache.free).toBe(0)
  })

  it('comes back from the owner with the most, however long others are idle', async () => {
    const owners = new Owners(admission())
    await owners.take('a', 20)
    await new Promise((resolve) => setTimeout(resolve, 5))
    await owners.takeMany('b', 8, 10)
    await owners.takeMany('c', 3, 5)
    expect(owners.reclaimed).toEqual(['b', 'b'])
  })

  it('that is in use stays, but not with an owner of more than a half', async () => {
    const owners = new Owners(admission(60_000))
    await owners.takeMany('a', 10, 10)
    await owners.takeMany('b', 5, 10)
    expect(owners.reclaimed).toHaveLength(5)
    await expect(owners.take('c', 10)).rejects.toThrow(CacheFullError)
    expect(owners.reclaimed).toHaveLength(5)
  })

  it('of one session in use stays, however large that is', async () => {
    const owners = new Owners(admission(60_000))
    await owners.take('a', 90)
    await expect(owners.take('b', 20)).rejects.toThrow(CacheFullError)
    expect(owners.reclaimed).toEqual([])
  })

  it('comes back only if that is enough', async () => {
    const owners = new Owners(admission())
    const [busy] = await owners.takeMany('a', 1, 60)
    busy!.use()
    await owners.takeMany('b', 4, 10)
    // One of the four could come back: then its owner has no more than the new one would.
    await expect(owners.take('c', 39)).rejects.toThrow(CacheFullError)
    expect(owners.reclaimed).toEqual([])
    await owners.take('c', 20)
    expect(owners.reclaimed).toEqual(['b', 'b'])
  })

  it('counts by blocks: sessions in other blocks are left alone', async () => {
    const owners = new Owners(admission())
    await owners.take('a', 100, { blocks: [0, 2] })
    await owners.take('b', 100, { blocks: [2, 4] })
    await owners.take('c', 30, { blocks: [3, 4] })
    expect(owners.reclaimed).toEqual(['b'])
  })

  it('does not wait for a large session of another owner', async () => {
    const owners = new Owners(admission(60_000))
    await owners.take('a', 50)
    const late = owners.take('hostile', 100, { timeoutMs: 1000 }).catch((error: unknown) => error)
    await owners.take('b', 30)
    expect(await late).toBeInstanceOf(CacheFullError)
  })

  it('goes to those that wait, first to the one that has the least, and in the order of each', async () => {
    const owners = new Owners(admission(60_000))
    const first = await owners.take('a', 60)
    await owners.take('b', 40)
    const order: string[] = []
    const wait = (name: string, owner: string, cells: number): Promise<void> =>
      owners.take(owner, cells, { timeoutMs: 10_000 }).then(() => void order.push(name))
    const all = [wait('b1', 'b', 10), wait('c1', 'c', 30), wait('c2', 'c', 5), wait('d1', 'd', 10)]
    await new Promise(setImmediate)
    first.release()
    await Promise.all(all)
    expect(order).toEqual(['d1', 'c1', 'c2', 'b1'])
  })

  it('that many owners of one origin use comes back for another origin, down to a half of all', async () => {
    const owners = new Owners(admission(60_000))
    for (let id = 0; id < 10; id++) (await owners.take(`hostile ${id}`, 10, { origin: 'one' })).use()
    const honest = await owners.take('honest', 10, { origin: 'other' })
    honest.use()
    expect(owners.reclaimed).toEqual(['hostile 0'])
    for (let id = 0; id < 4; id++) (await owners.take(`friend ${id}`, 10, { origin: 'other' })).use()
    expect(owners.reclaimed.every((owner) => owner.startsWith('hostile'))).toBe(true)
    await expect(owners.take('friend 4', 10, { origin: 'other' })).rejects.toThrow(CacheFullError)
    await expect(owners.take('hostile 10', 10, { origin: 'one' })).rejects.toThrow(CacheFullError)
    expect(owners.reclaimed).toHaveLength(5)
  })

  it('is shared among the owners of one origin as among origins', async () => {
    const owners = new Owners(admission())
    const origin = 'one'
    for (let index = 0; index < 10; index++) await owners.take('a', 10, { origin })
    for (let index = 0; index < 5; index++) await owners.take('b', 10, { origin })
    expect(owners.reclaimed).toEqual(Array(5).fill('a'))
    await expect(owners.take('b', 10, { origin })).rejects.toThrow(CacheFullError)
  })

  it('that was not used for long comes back however little its owner has, the longest idle first', async () => {
    const owners = new Owners(admission(0, 1))
    const rooms: Room[] = []
    for (let id = 0; id < 10; id++) rooms.push(await owners.take(`peer ${id}`, 10))
    rooms[0]!.use()
    rooms[1]!.use()()
    await new Promise((resolve) => setTimeout(resolve, 5))
    await owners.take('new', 20)
    expect(owners.reclaimed).toEqual(['peer 2', 'peer 3'])
  })

  it('that every owner uses stays', async () => {
    const owners = new Owners(admission(0, 0))
    for (let id = 0; id < 10; id++) (await owners.take(`peer ${id}`, 10)).use()
    await expect(owners.take('new', 10)).rejects.toThrow(CacheFullError)
    expect(owners.reclaimed).toEqual([])
  })

  it('goes to an origin that has none before many owners of one that has some', async () => {
    const owners = new Owners(admission(60_000))
    const first = await owners.take('a', 70, { origin: 'one' })
    await owners.take('b', 30, { origin: 'one' })
    const order: string[] = []
    const wait = (owner: string, cells: number, origin: string): Promise<void> =>
      owners.take(owner, cells, { timeoutMs: 10_000, origin }).then(() => void order.push(owner))
    const all = [wait('hostile 1', 40, 'one'), wait('hostile 2', 5, 'one'), wait('honest', 30, 'other')]
    await new Promise(setImmediate)
    first.release()
    await Promise.all(all.slice(1))
    expect(order).toEqual(['honest', 'hostile 2'])
    await expect(Promise.race([all[0], Promise.resolve('waits')])).resolves.toBe('waits')
    all[0]!.catch(() => {})
  })

  it('that is released after a reset counts once', async () => {
    const cache = admission()
    const room = await new Owners(cache).take('a', 60)
    cache.reset()
    expect(cache.free).toBe(total)
    room.release()
    expect(cache.free).toBe(total)
  })
})
