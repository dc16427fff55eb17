import { sizeOf, type HeldRoom, type RoomRequest } from './room.ts'

export interface CacheUse {
  /** Cells of each block, and those that are used in each. */
  readonly total: number
  readonly used: readonly number[]
  readonly idleMs: number
  readonly longIdleMs: number
}

/**
 * Chooses room to take back for a request. Other origins are compared with the origin of the request, and owners of its own
 * origin with its owner, by what they have and what they would have then:
 * - from those with more, the one with the most first: what was not used for some time, the longest idle first; if they have
 *   more than a half of the whole cache, also what they use, down to that half;
 * - from any other owner what was not used for long, the longest idle first: many owners that have little keep no room for
 *   themselves that they don't use.
 *
 * Returns undefined if that makes too little room; then none has to give anything back. Room that is on its way counts.
 */
export function chooseReclaimed(
  request: RoomRequest,
  held: readonly HeldRoom[],
  cache: CacheUse,
): readonly HeldRoom[] | undefined {
  const plan = new Plan(request, held, cache)
  while (!plan.isEnough) if (!plan.takeFromLarger() && !plan.takeLongIdle()) return undefined
  return plan.chosen
}

/** An origin, or an owner of the request's origin: what it has, and what of it may be taken back, in this order. */
interface Party {
  size: number
  /** What the request's own origin or owner would have. */
  readonly wanted: number
  readonly rooms: HeldRoom[]
}

class Plan {
  readonly chosen: HeldRoom[] = []
  readonly #request: RoomRequest
  readonly #free: number[]
  readonly #parties = new Map<string, Party>()
  readonly #half: number
  readonly #idleBefore: number
  readonly #longIdleBefore: number

  constructor(
    request: RoomRequest,
    held: readonly HeldRoom[],
    { total, used, idleMs, longIdleMs }: CacheUse,
  ) {
    this.#request = request
    this.#free = used.map((cells) => total - cells)
    this.#half = (total * used.length) / 2
    const now = performance.now()
    this.#idleBefore = now - idleMs
    this.#longIdleBefore = now - longIdleMs
    const present = held.filter(({ isReclaimed }) => !isReclaimed)
    for (const room of held) if (room.isReclaimed) this.#give(room.request)
    const [ofOwner, ofOrigin] = wantedSizes(request, present)
    for (const room of present) {
      const { owner, origin } = room.request
      if (origin !== request.origin) this.#add(`origin ${origin}`, room, ofOrigin)
      else if (owner !== request.owner) this.#add(`owner ${owner}`, room, ofOwner)
    }
    for (const { rooms } of this.#parties.values()) rooms.sort(leastUsedFirst)
  }

  get isEnough(): boolean {
    const { from, to, cells } = this.#request
    return this.#free.slice(from, to).every((free) => free >= cells)
  }

  /** Chooses one more room of those that have more. Returns false if there is none. */
  takeFromLarger(): boolean {
    const heaviestFirst = [...this.#parties.values()].sort((a, b) => b.size - a.size)
    for (const party of heaviestFirst)
      if (party.size > party.wanted && party.rooms[0] && this.#mayTake(party, party.rooms[0]))
        return this.#take(party)
    return false
  }

  /** Chooses one more room of any other owner. Returns false if none was idle for long. */
  takeLongIdle(): boolean {
    const first = [...this.#parties.values()]
      .filter(({ rooms: [room] }) => room && isIdleSince(room, this.#longIdleBefore))
      .reduce<Party | undefined>(
        (a, b) => (a && leastUsedFirst(a.rooms[0]!, b.rooms[0]!) <= 0 ? a : b),
        undefined,
      )
    return first !== undefined && this.#take(first)
  }

  #mayTake({ size }: Party, room: HeldRoom): boolean {
    return isIdleSince(room, this.#idleBefore) || size - sizeOf(room.request) >= this.#half
  }

  #take(party: Party): true {
    const room = party.rooms.shift()!
    party.size -= sizeOf(room.request)
    this.#give(room.request)
    this.chosen.push(room)
    return true
  }

  #add(name: string, room: HeldRoom, wanted: number): void {
    const { from, to } = room.request
    const its = this.#parties.get(name) ?? { size: 0, wanted, rooms: [] }
    its.size += sizeOf(room.request)
    if (from < this.#request.to && this.#request.from < to) its.rooms.push(room)
    this.#parties.set(name, its)
  }

  #give({ from, to, cells }: RoomRequest): void {
    for (let block = from; block < to; block++) this.#free[block]! += cells
  }
}

/** What the owner and the origin of a request would have. */
function wantedSizes(request: RoomRequest, held: readonly HeldRoom[]): readonly [number, number] {
  let [ofOwner, ofOrigin] = [sizeOf(request), sizeOf(request)]
  for (const { request: other } of held) {
    if (other.origin !== request.origin) continue
    ofOrigin += sizeOf(other)
    if (other.owner === request.owner) ofOwner += sizeOf(other)
  }
  return [ofOwner, ofOrigin]
}

const isIdleSince = ({ steps, usedAt }: HeldRoom, before: number): boolean => steps === 0 && usedAt <= before

/** Room in use comes last, and what was used last before it. */
const leastUsedFirst = (a: HeldRoom, b: HeldRoom): number =>
  Math.min(a.steps, 1) - Math.min(b.steps, 1) || a.usedAt - b.usedAt
