import type { PeerId } from '../p2p/peer-id.ts'

/** A server is not used for this long after it was found to compute something else than its blocks, times 2^k the k-th time after. */
const firstSentenceMs = 60 * 60_000
const maxDoublings = 4
/** A dispute is forgotten after this time: servers are started again and mended. */
const disputeMs = 60 * 60_000
/** Servers that are remembered, at most. */
const maxServers = 4096

/** What spot checks have found about a server. */
export interface Verdict {
  /**
   * `wrong`: it computes something else than its blocks, in the opinion of at least two; `disputed`: it and another server
   * compute something else from the same inputs, and it is not known which of the two is right.
   */
  readonly kind: 'wrong' | 'disputed'
  /** The servers that compute something else. */
  readonly against: readonly PeerId[]
  /** How far its outputs were from theirs: the length of the difference as a share of the length of the outputs. */
  readonly difference: number
  /** For how much longer it holds, milliseconds. */
  readonly remainingMs: number
}

interface Entry extends Omit<Verdict, 'remainingMs'> {
  /** `performance.now()` milliseconds. */
  readonly until: number
  /** How often the server was found to be wrong. */
  readonly count: number
}

/** The verdicts of a model's spot checks. A success does not clear them, as it does with bans: a careful liar has many. */
export class Verdicts {
  readonly #now: () => number
  readonly #entries = new Map<PeerId, Entry>()

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Returns the verdict on a server that holds now; undefined if there is none. */
  of(peer: PeerId): Verdict | undefined {
    const entry = this.#entries.get(peer)
    const remainingMs = (entry?.until ?? 0) - this.#now()
    if (!entry || remainingMs <= 0) return undefined
    const { kind, against, difference } = entry
    return { kind, against, difference, remainingMs }
  }

  /** Returns the servers on which a verdict holds now. */
  servers(): readonly PeerId[] {
    return [...this.#entries.keys()].filter((peer) => this.of(peer))
  }

  /** Notes that the server computes something else than its blocks. */
  convict(peer: PeerId, against: readonly PeerId[], difference: number): void {
    const count = (this.#entries.get(peer)?.count ?? 0) + 1
    const ms = firstSentenceMs * 2 ** Math.min(count - 1, maxDoublings)
    this.#set(peer, { kind: 'wrong', against, difference, count, until: this.#now() + ms })
    // A dispute with a server that was wrong is over.
    for (const [other, entry] of this.#entries)
      if (entry.kind === 'disputed' && entry.against.includes(peer)) this.#end(other, entry)
  }

  /** Notes that these servers compute something else from the same inputs. */
  dispute(peers: readonly PeerId[], difference: number): void {
    for (const peer of peers) {
      if (this.of(peer)?.kind === 'wrong') continue
      const against = peers.filter((other) => other !== peer)
      const count = this.#entries.get(peer)?.count ?? 0
      this.#set(peer, { kind: 'disputed', against, difference, count, until: this.#now() + disputeMs })
    }
  }

  /** Notes that these servers compute the same: a dispute between them is over. */
  agree(peers: readonly PeerId[]): void {
    for (const peer of peers) {
      const entry = this.#entries.get(peer)
      const isWithThem = entry?.kind === 'disputed' && entry.against.every((other) => peers.includes(other))
      if (isWithThem) this.#end(peer, entry)
    }
  }

  #end(peer: PeerId, entry: Entry): void {
    if (entry.count === 0) this.#entries.delete(peer)
    else this.#entries.set(peer, { ...entry, until: 0 })
  }

  #set(peer: PeerId, entry: Entry): void {
    this.#entries.delete(peer)
    this.#entries.set(peer, entry)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > maxServers && oldest !== undefined) this.#entries.delete(oldest)
  }
}
