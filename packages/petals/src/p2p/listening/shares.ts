import type { PeerId } from '../peer-id.ts'

/**
 * Counts what peers have of something that costs memory, and refuses what is beyond a limit. The peers of one origin may have
 * as much as they leave free, and each of them as much as it leaves free of that: some is always left for a peer that has few.
 */
export class Shares {
  readonly #most: number
  readonly #mostPerPeer: number
  readonly #ofPeers = new Map<string, number>()
  readonly #ofOrigins = new Map<string, number>()
  #count = 0

  constructor(most: number, mostPerPeer: number) {
    this.#most = most
    this.#mostPerPeer = mostPerPeer
  }

  get count(): number {
    return this.#count
  }

  /**
   * Returns a function that gives the place back, to be called once, or undefined if there is none.
   * @param origin the peer itself if it is not known
   */
  take(peer: PeerId, origin: string): (() => void) | undefined {
    const free = this.#most - this.#count
    // Each place that the origin takes is also one that it leaves free no more.
    const left = origin === peer ? free : Math.ceil((free - (this.#ofOrigins.get(origin) ?? 0)) / 2)
    if ((this.#ofPeers.get(peer) ?? 0) >= Math.min(this.#mostPerPeer, left)) return undefined
    this.#change(peer, origin, 1)
    return () => this.#change(peer, origin, -1)
  }

  #change(peer: string, origin: string, by: 1 | -1): void {
    this.#count += by
    for (const [counts, name] of [
      [this.#ofPeers, peer],
      [this.#ofOrigins, origin],
    ] as const) {
      const count = (counts.get(name) ?? 0) + by
      if (count > 0) counts.set(name, count)
      else counts.delete(name)
    }
  }
}
