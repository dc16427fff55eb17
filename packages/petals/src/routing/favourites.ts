import type { PeerId } from '../p2p/peer-id.ts'
import type { SpanIndex } from './span-index.ts'

/** A server that is drawn last counts as this many times slower than one that is drawn first, in the largest swarms. */
const mostTimesSlower = 5
/** Where each block has no more servers than this, each client uses all of them. */
const fewHolders = 16
/** Where each block has so many more servers, favourites count half as much as they do at most. */
const halfway = 200

/**
 * Favourite servers of one client, drawn by lot, for its whole life. In a large swarm a client measures only a few servers; of
 * the others it knows what they announced minutes ago. If all clients went by that, all would go to the same servers at the
 * same time. With favourites they go to different ones, and each comes back to servers whose load it knows.
 */
export class Favourites {
  readonly #seed: number
  #latest: { readonly of: SpanIndex; readonly factors: Float64Array } | undefined

  /** @param random returns a number from 0 (inclusive) to 1 (exclusive) */
  constructor(random: () => number) {
    this.#seed = Math.floor(random() * 2 ** 32)
  }

  /** Returns by what to multiply the times of servers that this client has not measured, by slot. */
  factors(index: SpanIndex): Float64Array {
    if (this.#latest?.of !== index) {
      const weight = (mostTimesSlower - 1) * weightIn(index)
      const factors = Float64Array.from(index.spans, ({ peer }) => 1 + weight * this.#lot(peer))
      this.#latest = { of: index, factors }
    }
    return this.#latest.factors
  }

  /** Returns a number from 0 to 1 that is always the same for the same peer (FNV-1a, and the last steps of MurmurHash3). */
  #lot(peer: PeerId): number {
    let hash = this.#seed
    for (let i = 0; i < peer.length; i++) hash = Math.imul(hash ^ peer.charCodeAt(i), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
  }
}

/** Returns how much favourites count, from 0 to 1: the more servers hold a block, the less is lost by using some of them only. */
function weightIn({ holders, numBlocks }: SpanIndex): number {
  const more = Math.max(0, holders.values.length / numBlocks - fewHolders)
  return more ** 2 / (more ** 2 + halfway ** 2)
}
