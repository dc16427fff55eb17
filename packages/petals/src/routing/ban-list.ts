import type { PeerId } from '../p2p/peer-id.ts'

/** Bans double up to a day or so. */
const maxDoublings = 12
/** Peers that are remembered. */
const maxEntries = 4096

/**
 * What a server did, from the least bad: one that was slow is a better choice than one that fails or lies, and one that
 * can't even be reached is the last.
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
 * Peers that failed are left alone for a while, twice as long each time that they fail again after it; one success and
 * all is forgotten (hivemind's Blacklist).
 */
export class BanList {
  readonly #banMs: number
  readonly #now: () => number
  readonly #bans = new Map<PeerId, Ban>()

  constructor(banMs: number, now: () => number = () => performance.now()) {
    this.#banMs = banMs
    this.#now = now
  }

  /** True if this failure began a ban; failures during a ban change only what it is for. */
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

  /** A pause that does not count as a failure: the server is full, or slow. */
  pause(peer: PeerId): void {
    if (this.isBanned(peer)) return
    const count = this.#bans.get(peer)?.count ?? 0
    this.#set(peer, { offence: 'late', count, until: this.#now() + this.#banMs })
  }

  /** What the peer is banned for; undefined if it is not. */
  offence(peer: PeerId): Offence | undefined {
    return this.isBanned(peer) ? this.#bans.get(peer)?.offence : undefined
  }

  reportSuccess(peer: PeerId): void {
    this.#bans.delete(peer)
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
