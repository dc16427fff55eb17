import type { PeerId } from '../peer-id.ts'

/**
 * Counts the streams that peers have open, and refuses those beyond a limit: each can hold a window of unread bytes. A peer may
 * have as many as it leaves free, so that some are always left for one that has few.
 */
export class StreamBound {
  readonly #most: number
  readonly #mostPerPeer: number
  readonly #open = new Map<PeerId, number>()
  #count = 0

  constructor(most: number, mostPerPeer: number) {
    this.#most = most
    this.#mostPerPeer = mostPerPeer
  }

  get count(): number {
    return this.#count
  }

  /** Returns a function that gives the place back, or undefined if there is none. */
  take(peer: PeerId): (() => void) | undefined {
    const open = this.#open.get(peer) ?? 0
    if (open >= Math.min(this.#mostPerPeer, this.#most - this.#count)) return undefined
    this.#count++
    this.#open.set(peer, open + 1)
    return () => this.#release(peer)
  }

  #release(peer: PeerId): void {
    this.#count--
    const left = this.#open.get(peer)! - 1
    if (left > 0) this.#open.set(peer, left)
    else this.#open.delete(peer)
  }
}
