import { sizeOf, type HeldRoom, type RoomRequest } from './room.ts'

export interface CacheUse {
  /** Cells of each block, and those that are used in each. */
  readonly total: number
  readonly used: readonly number[]
  readonly idleMs: number
}

/**
 * Chooses room to take back for a request, from owners that have more than its owner would have then:
 * - what was not used for some time, the longest idle first;
 * - from an owner of more than a half of the whole cache also what it uses, down to that half.
 *
 * Returns undefined if that makes too little room; then nobody has to give anything back. Room that is on its way counts.
 */
export function chooseReclaimed(
  request: RoomRequest,
  held: readonly HeldRoom[],
  { total, used, idleMs }: CacheUse,
): readonly HeldRoom[] | undefined {
  const left = new Map<string, number>()
  const free = used.map((cells) => total - cells)
  const give = ({ from, to, cells }: RoomRequest): void => {
    for (let block = from; block < to; block++) free[block]! += cells
  }
  for (const room of held) {
    const { owner } = room.request
    if (room.isReclaimed) give(room.request)
    else left.set(owner, (left.get(owner) ?? 0) + sizeOf(room.request))
  }
  const wanted = (left.get(request.owner) ?? 0) + sizeOf(request)
  const half = (total * used.length) / 2
  const isEnough = (): boolean =>
    free.slice(request.from, request.to).every((cells) => cells >= request.cells)
  const now = performance.now()
  const isIdle = ({ steps, usedAt }: HeldRoom): boolean => steps === 0 && now - usedAt >= idleMs
  const chosen: HeldRoom[] = []
  for (const room of inOrder(held, request)) {
    if (isEnough()) break
    const { owner } = room.request
    const has = left.get(owner)!
    const keeps = has - sizeOf(room.request)
    if (has <= wanted || !(isIdle(room) || keeps >= half)) continue
    left.set(owner, keeps)
    give(room.request)
    chosen.push(room)
  }
  return isEnough() ? chosen : undefined
}

/** Room of other owners in the blocks of the request: that in use comes last, and what was used last before it. */
const inOrder = (held: readonly HeldRoom[], { owner, from, to }: RoomRequest): readonly HeldRoom[] =>
  held
    .filter(({ request, isReclaimed }) => {
      const isOther = request.owner !== owner && !isReclaimed
      return isOther && request.from < to && from < request.to
    })
    .sort((a, b) => Math.min(a.steps, 1) - Math.min(b.steps, 1) || a.usedAt - b.usedAt)
