import { abortable, type AbortOptions } from '@petals-chat/engine'
import { CacheFullError, CacheTooLargeError } from './errors.ts'

export interface RoomRequest extends AbortOptions {
  /** Blocks [from, to), counted from the first loaded one. */
  readonly from: number
  readonly to: number
  /** Cells in each of the blocks. */
  readonly cells: number
  readonly timeoutMs: number
}

/** Room in the KV cache; releasing it twice does nothing. */
export interface Room {
  release(): void
}

interface Waiter {
  readonly request: RoomRequest
  readonly admit: (room: Room) => void
}

/** Who may use the cells of the KV cache. Sessions wait in the order in which they came, so that large ones get their turn. */
export class CacheAdmission {
  readonly #total: number
  readonly #used: number[]
  readonly #waiters = new Set<Waiter>()
  /** Counts resets: room that was taken before the last one is free already. */
  #generation = 0

  /** @param total cells of each block */
  constructor(blocks: number, total: number) {
    this.#total = total
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
    if (this.#waiters.size === 0 && this.#fits(request)) return this.#admit(request)
    if (request.timeoutMs <= 0) throw this.#full(request)
    return await this.#wait(request)
  }

  /** All room is free again: the process that had the cache has ended. */
  reset(): void {
    this.#generation++
    this.#used.fill(0)
    this.#admitWaiting()
  }

  async #wait(request: RoomRequest): Promise<Room> {
    const { promise, resolve, reject } = Promise.withResolvers<Room>()
    const waiter = { request, admit: resolve }
    this.#waiters.add(waiter)
    const timer = setTimeout(() => reject(this.#full(request)), request.timeoutMs)
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
    for (const waiter of this.#waiters) {
      if (!this.#fits(waiter.request)) return
      this.#waiters.delete(waiter)
      waiter.admit(this.#admit(waiter.request))
    }
  }

  #admit({ from, to, cells }: RoomRequest): Room {
    for (let block = from; block < to; block++) this.#used[block]! += cells
    let generation = this.#generation
    return {
      release: () => {
        if (generation !== this.#generation) return
        generation = -1
        for (let block = from; block < to; block++) this.#used[block]! -= cells
        this.#admitWaiting()
      },
    }
  }

  #fits({ from, to, cells }: RoomRequest): boolean {
    return this.#used.slice(from, to).every((used) => used + cells <= this.#total)
  }

  #share({ from, to, cells }: RoomRequest): number {
    return (cells * (to - from)) / this.#used.length
  }

  #full(request: RoomRequest): CacheFullError {
    return new CacheFullError({ needed: this.#share(request), free: this.free, total: this.#total })
  }
}
