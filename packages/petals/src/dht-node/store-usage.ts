import type { PeerId } from '../p2p/peer-id.ts'

/** Something that takes memory on behalf of a peer; undefined: of this node, whose own records are never given up. */
export interface Holding {
  readonly storer: PeerId | undefined
  readonly bytes: number
}

/** Shares a limited memory among peers: when it is used up, the peer that holds the most gives way first. */
export class StoreUsage<T extends Holding> {
  readonly #most: number
  readonly #holdings = new Map<PeerId | undefined, Set<T>>()
  readonly #bytesOf = new Map<PeerId | undefined, number>()
  #bytes = 0

  constructor(most: number) {
    this.#most = most
  }

  get bytes(): number {
    return this.#bytes
  }

  add(holding: T): void {
    const set = this.#holdings.get(holding.storer) ?? new Set()
    set.add(holding)
    this.#holdings.set(holding.storer, set)
    this.#count(holding.storer, holding.bytes)
  }

  remove(holding: T): void {
    const set = this.#holdings.get(holding.storer)
    if (!set?.delete(holding)) return
    if (set.size === 0) this.#holdings.delete(holding.storer)
    this.#count(holding.storer, -holding.bytes)
  }

  /**
   * Makes room for a holding that takes the place of another. Returns false if its peer would then hold the most itself.
   * @param giveUp removes a holding, which calls `remove`
   */
  makeRoom(next: T, before: T | undefined, giveUp: (holding: T) => void): boolean {
    const needed = next.bytes - (before?.bytes ?? 0)
    while (this.#bytes + needed > this.#most) {
      const heaviest = this.#heaviest()
      if (heaviest === undefined) return false
      const own = (this.#bytesOf.get(next.storer) ?? 0) + needed
      if (next.storer !== undefined && own >= this.#bytesOf.get(heaviest)!) return false
      const victim = this.#oldest(heaviest, before)
      if (!victim) return false
      giveUp(victim)
    }
    return true
  }

  #oldest(peer: PeerId, except: T | undefined): T | undefined {
    for (const holding of this.#holdings.get(peer)!) if (holding !== except) return holding
    return undefined
  }

  #heaviest(): PeerId | undefined {
    let heaviest: PeerId | undefined
    for (const [peer, bytes] of this.#bytesOf)
      if (peer !== undefined && bytes > (heaviest ? this.#bytesOf.get(heaviest)! : 0)) heaviest = peer
    return heaviest
  }

  #count(peer: PeerId | undefined, bytes: number): void {
    this.#bytes += bytes
    const sum = (this.#bytesOf.get(peer) ?? 0) + bytes
    if (sum > 0) this.#bytesOf.set(peer, sum)
    else this.#bytesOf.delete(peer)
  }
}
