import type { PeerId } from '../p2p/peer-id.ts'

/** Waits for memory for a message of a peer, and returns a function that gives it back. */
export type Reserve = (peer: PeerId, bytes: number, signal?: AbortSignal) => Promise<() => void>

interface Waiting {
  readonly peer: PeerId
  readonly bytes: number
  readonly admit: () => void
}

/**
 * The memory that messages of peers may take together, and those of one peer. A message waits until there is room; the peer
 * feels that as back-pressure. A peer that has used up its share does not keep others from theirs.
 */
export class InboundBudget {
  readonly #total: number
  readonly #perPeer: number
  readonly #used = new Map<PeerId, number>()
  readonly #queue = new Set<Waiting>()
  #usedTotal = 0

  /** @param perPeer at least the length of the longest message */
  constructor(total: number, perPeer: number) {
    this.#total = total
    this.#perPeer = perPeer
  }

  get usedBytes(): number {
    return this.#usedTotal
  }

  readonly reserve: Reserve = async (peer, bytes, signal) => {
    signal?.throwIfAborted()
    if (this.#fits(peer, bytes) && !this.#isAnyNext()) return this.#take(peer, bytes)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting: Waiting = { peer, bytes, admit: resolve }
    const onAbort = (): void => {
      this.#queue.delete(waiting)
      reject(signal!.reason as Error)
    }
    this.#queue.add(waiting)
    signal?.addEventListener('abort', onAbort)
    try {
      await promise
    } finally {
      this.#queue.delete(waiting)
      signal?.removeEventListener('abort', onAbort)
    }
    return this.#releaser(peer, bytes)
  }

  #fits(peer: PeerId, bytes: number): boolean {
    return this.#usedTotal + bytes <= this.#total && this.#fitsShare(peer, bytes)
  }

  #fitsShare(peer: PeerId, bytes: number): boolean {
    return (this.#used.get(peer) ?? 0) + bytes <= this.#perPeer
  }

  /** A long message that waits for room among all must not be overtaken for ever by short ones. */
  #isAnyNext(): boolean {
    for (const { peer, bytes } of this.#queue) if (this.#fitsShare(peer, bytes)) return true
    return false
  }

  #take(peer: PeerId, bytes: number): () => void {
    this.#add(peer, bytes)
    return this.#releaser(peer, bytes)
  }

  #releaser(peer: PeerId, bytes: number): () => void {
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#add(peer, -bytes)
      this.#admitWaiting()
    }
  }

  #add(peer: PeerId, bytes: number): void {
    this.#usedTotal += bytes
    const used = (this.#used.get(peer) ?? 0) + bytes
    if (used > 0) this.#used.set(peer, used)
    else this.#used.delete(peer)
  }

  /** In the order of arrival, but a message that waits for its own peer's share lets those of others pass. */
  #admitWaiting(): void {
    for (const waiting of this.#queue) {
      if (!this.#fitsShare(waiting.peer, waiting.bytes)) continue
      if (!this.#fits(waiting.peer, waiting.bytes)) return
      this.#queue.delete(waiting)
      this.#add(waiting.peer, waiting.bytes)
      waiting.admit()
    }
  }
}
