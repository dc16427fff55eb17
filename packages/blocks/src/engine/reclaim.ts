import { sizeOf, type HeldRoom, type RoomRequest } from './room.ts'

export interface CacheUse {
  /** Cells of each block, and those that are used in each. */
  readonly total: number
  readonly used: readonly number[]
  readonly idleMs: number
}

/**
 * Chooses room to take back for a request, from owners that have more than its owner would have then, the one with the most first:
 * - what was not used for some time, the longest idle first;
 * - from an owner of more than a half of the whole cache also what it uses, down to that half.
 *
 * Returns undefined if that makes too little room; then none has to give anything back. Room that is on its way counts.
 */
export function chooseReclaimed(
  request: RoomRequest,
  held: readonly HeldRoom[],
  cache: CacheUse,
): readonly HeldRoom[] | undefined {
  const plan = new Plan(request, held, cache)
  while (!plan.isEnough) if (!plan.takeOne()) return undefined
  return plan.chosen
}

/** What an owner has, and what of it may be taken back, in this order. */
interface Owner {
  size: number
  readonly rooms: HeldRoom[]
}

class Plan {
  readonly chosen: HeldRoom[] = []
  readonly #request: RoomRequest
  readonly #free: number[]
  readonly #owners = new Map<string, Owner>()
  readonly #wanted: number
  readonly #half: number
  readonly #idleBefore: number

  constructor(request: RoomRequest, held: readonly HeldRoom[], { total, used, idleMs }: CacheUse) {
    this.#request = request
    this.#free = used.map((cells) => total - cells)
    this.#half = (total * used.length) / 2
    this.#idleBefore = performance.now() - idleMs
    for (const room of held) {
      if (room.isReclaimed) this.#give(room.request)
      else this.#add(room)
    }
    this.#wanted = (this.#owners.get(request.owner)?.size ?? 0) + sizeOf(request)
    this.#owners.delete(request.owner)
    for (const { rooms } of this.#owners.values()) rooms.sort(leastUsedFirst)
  }

  get isEnough(): boolean {
    const { from, to, cells } = this.#request
    return this.#free.slice(from, to).every((free) => free >= cells)
  }

  /** Chooses one more room. Returns false if there is none. */
  takeOne(): boolean {
    const heaviestFirst = [...this.#owners.values()].sort((a, b) => b.size - a.size)
    for (const owner of heaviestFirst) {
      if (owner.size <= this.#wanted) return false
      const room = owner.rooms[0]
      if (!room || !this.#mayTake(owner, room)) continue
      owner.rooms.shift()
      owner.size -= sizeOf(room.request)
      this.#give(room.request)
      this.chosen.push(room)
      return true
    }
    return false
  }

  #mayTake({ size }: Owner, room: HeldRoom): boolean {
    const isIdle = room.steps === 0 && room.usedAt <= this.#idleBefore
    return isIdle || size - sizeOf(room.request) >= this.#half
  }

  #add(room: HeldRoom): void {
    const { owner, from, to } = room.request
    const its = this.#owners.get(owner) ?? { size: 0, rooms: [] }
    its.size += sizeOf(room.request)
    if (from < this.#request.to && this.#request.from < to) its.rooms.push(room)
    this.#owners.set(owner, its)
  }

  #give({ from, to, cells }: RoomRequest): void {
    for (let block = from; block < to; block++) this.#free[block]! += cells
  }
}

/** Room in use comes last, and what was used last before it. */
const leastUsedFirst = (a: HeldRoom, b: HeldRoom): number =>
  Math.min(a.steps, 1) - Math.min(b.steps, 1) || a.usedAt - b.usedAt
