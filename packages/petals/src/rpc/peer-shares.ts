import type { PeerId } from '../p2p/peer-id.ts'

/** What a peer has, what all have together, and what the peer asks for. */
export interface ShareRequest {
  readonly used: number
  readonly usedByAll: number
  readonly amount: number
}

interface Waiting {
  readonly amount: number
  readonly admit: () => void
}

/**
 * Something that peers take shares of. Requests of one peer are served in their order; a peer that has used up its share does
 * not keep others from theirs.
 */
export class PeerShares {
  readonly #fits: (request: ShareRequest) => boolean
  readonly #used = new Map<PeerId, number>()
  readonly #queues = new Map<PeerId, Set<Waiting>>()
  #usedByAll = 0

  /** @param fits whether a peer may have so much more */
  constructor(fits: (request: ShareRequest) => boolean) {
    this.#fits = fits
  }

  get usedByAll(): number {
    return this.#usedByAll
  }

  /** Waits for a share, and returns a function that gives it back. @throws the reason of the signal */
  async take(peer: PeerId, amount: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (!this.#queues.has(peer) && this.#mayHave(peer, amount)) this.#add(peer, amount)
    else await this.#wait(peer, amount, signal)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#add(peer, -amount)
      this.#admitWaiting()
    }
  }

  async #wait(peer: PeerId, amount: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting: Waiting = { amount, admit: resolve }
    const onAbort = (): void => {
      this.#leave(peer, waiting)
      this.#admitWaiting() // it may have been the first of its peer
      reject(signal!.reason as Error)
    }
    const queue = this.#queues.get(peer) ?? new Set()
    this.#queues.set(peer, queue.add(waiting))
    signal?.addEventListener('abort', onAbort)
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #leave(peer: PeerId, waiting: Waiting): void {
    const queue = this.#queues.get(peer)
    queue?.delete(waiting)
    if (queue?.size === 0) this.#queues.delete(peer)
  }

  #admitWaiting(): void {
    for (const [peer, queue] of this.#queues)
      for (const waiting of queue) {
        if (!this.#mayHave(peer, waiting.amount)) break
        this.#leave(peer, waiting)
        this.#add(peer, waiting.amount)
        waiting.admit()
      }
  }

  #mayHave(peer: PeerId, amount: number): boolean {
    return this.#fits({ used: this.#used.get(peer) ?? 0, usedByAll: this.#usedByAll, amount })
  }

  #add(peer: PeerId, amount: number): void {
    this.#usedByAll += amount
    const used = (this.#used.get(peer) ?? 0) + amount
    if (used > 0) this.#used.set(peer, used)
    else this.#used.delete(peer)
  }
}
