import { abortable } from '@petals-chat/engine'
import { CacheFullError, CacheTooLargeError } from './errors.ts'
import { chooseReclaimed } from './reclaim.ts'
import { sizeOf, type HeldRoom, type Room, type RoomRequest } from './room.ts'
import { nextInLine } from './waiting-order.ts'

interface Waiter {
  readonly request: RoomRequest
  readonly admit: (room: Room) => void
}

export interface AdmissionTimes {
  /** Room that was not used for this long may be taken back for those that have less. */
  readonly idleMs: number
  /** The same for those that have as much or more: longer than a person reads, and than the other servers of a route compute. */
  readonly longIdleMs: number
  /** How long room may take to come back. Also requests that don't wait otherwise wait for it. */
  readonly reclaimMs: number
}

export const usualTimes: AdmissionTimes = { idleMs: 15_000, longIdleMs: 60_000, reclaimMs: 10_000 }
/** How often it is looked for room that has become idle, while requests wait. */
const lookMs = 1000

/**
 * Who may use the cells of the KV cache. The first one gets what is free, all of it, if none waits. When there is too
 * little, the origin that would have the least comes first, and of its owners the one that would have the least; those that
 * have more give back what they don't use, and all what they did not use for long. Requests of one owner are served in their order.
 */
export class CacheAdmission {
  readonly #total: number
  readonly #times: AdmissionTimes
  readonly #used: number[]
  readonly #held = new Set<HeldRoom>()
  readonly #waiters = new Set<Waiter>()
  #timer: NodeJS.Timeout | undefined

  /** @param total cells of each block */
  constructor(blocks: number, total: number, times: Partial<AdmissionTimes> = {}) {
    this.#total = total
    this.#times = { ...usualTimes, ...times }
    this.#used = new Array<number>(blocks).fill(0)
  }

  /** Free cells, as the mean over the blocks. */
  get free(): number {
    const used = this.#used.reduce((sum, cells) => sum + cells, 0)
    return Math.floor(this.#total - used / this.#used.length)
  }

  /** @throws CacheTooLargeError, CacheFullError after `timeoutMs`, the reason of the signal */
  async take(request: RoomRequest): Promise<Room> {
    request.signal?.throwIfAborted()
    if (request.cells > this.#total) throw new CacheTooLargeError(this.#share(request), this.#total)
    const isNext = this.#isNext(request)
    if (isNext && this.#fits(request)) return this.#admit(request)
    const isComing = isNext && this.#reclaimFor(request)
    const timeoutMs = isComing ? Math.max(request.timeoutMs, this.#times.reclaimMs) : request.timeoutMs
    if (timeoutMs <= 0) throw this.#full(request)
    return await this.#wait(request, timeoutMs)
  }

  /** All room is free again: the process that had the cache has ended. */
  reset(): void {
    this.#held.clear()
    this.#used.fill(0)
    this.#admitWaiting()
  }

  async #wait(request: RoomRequest, timeoutMs: number): Promise<Room> {
    const { promise, resolve, reject } = Promise.withResolvers<Room>()
    const waiter = { request, admit: resolve }
    this.#waiters.add(waiter)
    this.#timer ??= setInterval(() => this.#admitWaiting(), lookMs).unref()
    const timer = setTimeout(() => reject(this.#full(request)), timeoutMs)
    try {
      return await abortable(promise, request.signal)
    } catch (error) {
      // It may have been admitted in the same moment.
      if (!this.#waiters.has(waiter)) void promise.then((room) => room.release())
      throw error
    } finally {
      clearTimeout(timer)
      // A waiter that gives up may have been the one in front.
      if (this.#waiters.delete(waiter)) this.#admitWaiting()
    }
  }

  #admitWaiting(): void {
    for (let next = this.#first(); next; next = this.#first()) {
      if (!this.#fits(next.request)) {
        this.#reclaimFor(next.request)
        return
      }
      this.#waiters.delete(next)
      next.admit(this.#admit(next.request))
    }
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #first(): Waiter | undefined {
    const waiters = new Map([...this.#waiters].map((waiter) => [waiter.request, waiter]))
    const next = nextInLine(waiters.keys(), this.#held)
    return next && waiters.get(next)
  }

  /** Whether none waits that comes before this request. */
  #isNext(request: RoomRequest): boolean {
    const waiting = [...this.#waiters].map((waiter) => waiter.request)
    return nextInLine([...waiting, request], this.#held) === request
  }

  /** Asks for room that others don't need as much. Returns whether that makes enough of it. */
  #reclaimFor(request: RoomRequest): boolean {
    const cache = { total: this.#total, used: this.#used, ...this.#times }
    const chosen = chooseReclaimed(request, [...this.#held], cache)
    for (const room of chosen ?? []) {
      room.isReclaimed = true
      room.request.onReclaim()
    }
    return chosen !== undefined
  }

  #admit(request: RoomRequest): Room {
    const room: HeldRoom = { request, steps: 0, usedAt: performance.now(), isReclaimed: false }
    this.#held.add(room)
    this.#add(request, request.cells)
    return {
      use: () => {
        room.steps++
        return () => {
          room.steps--
          room.usedAt = performance.now()
        }
      },
      release: () => {
        if (!this.#held.delete(room)) return // also after a reset
        this.#add(request, -request.cells)
        this.#admitWaiting()
      },
    }
  }

  #add({ from, to }: RoomRequest, cells: number): void {
    for (let block = from; block < to; block++) this.#used[block]! += cells
  }

  #fits({ from, to, cells }: RoomRequest): boolean {
    return this.#used.slice(from, to).every((used) => used + cells <= this.#total)
  }

  #share(request: RoomRequest): number {
    return sizeOf(request) / this.#used.length
  }

  #full(request: RoomRequest): CacheFullError {
    return new CacheFullError({ needed: this.#share(request), free: this.free, total: this.#total })
  }
}
