import type { PeerId } from '../p2p/peer-id.ts'

/** Seconds that a server's first failure adds to each token on it, and the most. Each further failure doubles them. */
const firstRiskSeconds = 0.04
const maxRiskSeconds = 5
/** A failure counts half after this time. */
const halfLifeMs = 10 * 60_000
/** Servers that are remembered, at most. */
const maxPeers = 4096

/**
 * Failures since a server's last success. A ban ends after a while, and then a server that accepts sessions but never answers
 * would be tried again by every client; this makes it the less attractive, the more often it was tried in vain.
 */
export class Troubles {
  readonly #now: () => number
  readonly #troubles = new Map<PeerId, { readonly count: number; readonly at: number }>()

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now
  }

  failed(peer: PeerId): void {
    const count = (this.#troubles.get(peer)?.count ?? 0) + 1
    this.#troubles.delete(peer)
    this.#troubles.set(peer, { count, at: this.#now() })
    const [oldest] = this.#troubles.keys()
    if (this.#troubles.size > maxPeers && oldest !== undefined) this.#troubles.delete(oldest)
  }

  succeeded(peer: PeerId): void {
    this.#troubles.delete(peer)
  }

  /** Calls `visit` with the seconds by which each token may be later because the server fails again. */
  forEach(visit: (peer: PeerId, seconds: number) => void): void {
    for (const [peer, { count, at }] of this.#troubles) {
      const risk = Math.min(maxRiskSeconds, firstRiskSeconds * 2 ** Math.min(count - 1, 20))
      visit(peer, risk * 2 ** ((at - this.#now()) / halfLifeMs))
    }
  }
}
