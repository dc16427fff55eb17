import type { PeerId } from '../p2p/peer-id.ts'

/** With the default of 15 seconds, the longest ban is 17 hours. */
const maxDoublings = 12
/** Peers that are remembered, at most. */
const maxEntries = 4096

/**
 * What a server did, the least serious first. A slow server is a better choice than one that fails or sends wrong data,
 * and both are better than one that can't be reached.
 */
export type Offence = 'late' | 'failed' | 'gone'

interface Ban {
  /** Failures that led to a ban. */
  readonly count: number
  readonly offence: Offence
  /** `performance.now()` milliseconds. */
  readonly until: number
}

/**
 * Bans peers that failed. Each further failure after a ban doubles the next one; one success clears the record (`Blacklist`
 * in `hivemind/dht/node.py`).
 */
export class BanList {
  readonly #banMs: number
  readonly #now: () => number
  readonly #bans = new Map<PeerId, Ban>()

  constructor(banMs: number, now: () => number = () => performance.now()) {
    this.#banMs = banMs
    this.#now = now
  }

  /** Returns whether this failure began a ban. A failure during a ban only replaces the ban's offence. */
  reportFailure(peer: PeerId, offence: Offence = 'failed'): boolean {
    if (this.isBanned(peer)) {
      this.#set(peer, { ...this.#bans.get(peer)!, offence })
      return false
    }
    const count = this.#bans.get(peer)?.count ?? 0
    this.#set(peer, {
      offence,
      count: count + 1,
      until: this.#now() + this.#banMs * 2 ** Math.min(count, maxDoublings),
    })
    return true
  }

  /** Bans a server that is full or slow, without counting it as a failure. */
  pause(peer: PeerId): void {
    if (this.isBanned(peer)) return
    const count = this.#bans.get(peer)?.count ?? 0
    this.#set(peer, { offence: 'late', count, until: this.#now() + this.#banMs })
  }

  /** Returns what the peer is banned for; undefined if it is not banned. */
  offence(peer: PeerId): Offence | undefined {
    return this.isBanned(peer) ? this.#bans.get(peer)?.offence : undefined
  }

  reportSuccess(peer: PeerId): void {
    this.#bans.delete(peer)
  }

  /** Returns the peers that are banned now. */
  banned(): readonly PeerId[] {
    return [...this.#bans.keys()].filter((peer) => this.isBanned(peer))
  }

  isBanned(peer: PeerId): boolean {
    return this.remainingMs(peer) > 0
  }

  remainingMs(peer: PeerId): number {
    return Math.max(0, (this.#bans.get(peer)?.until ?? 0) - this.#now())
  }

  #set(peer: PeerId, ban: Ban): void {
    this.#bans.delete(peer)
    this.#bans.set(peer, ban)
    const [oldest] = this.#bans.keys()
    if (this.#bans.size > maxEntries && oldest !== undefined) this.#bans.delete(oldest)
  }
}
