import type { PeerId } from '../peer-id.ts'

/** A stream whose unread bytes are counted. */
export interface UnreadStream {
  readonly unreadBytes: number
  abort(reason: Error): void
}

/** How often the bytes are counted. */
const periodMs = 100

/**
 * Bounds the bytes that have arrived on all streams and are not read yet: each stream may hold a window of them, and a server
 * has thousands of streams. When there are too many, the peer that holds the most loses its fullest streams.
 */
export class UnreadBound {
  readonly #most: number
  readonly #streams = new Map<UnreadStream, PeerId>()
  #timer: NodeJS.Timeout | undefined

  constructor(most: number) {
    this.#most = most
  }

  /** Counts a stream until the returned function is called. */
  track(peer: PeerId, stream: UnreadStream): () => void {
    this.#streams.set(stream, peer)
    this.#timer ??= setInterval(() => this.enforce(), periodMs).unref()
    return () => {
      this.#streams.delete(stream)
      if (this.#streams.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  /** Resets streams while they hold too much. */
  enforce(): void {
    const holdings = this.#holdings()
    let total = sum([...holdings.values()].map(({ bytes }) => bytes))
    while (total > this.#most) {
      const heaviest = [...holdings.values()].reduce((a, b) => (b.bytes > a.bytes ? b : a))
      const fullest = heaviest.streams.pop()
      if (!fullest) return
      fullest.stream.abort(new Error('The peer has sent too much that is not read yet.'))
      heaviest.bytes -= fullest.bytes
      total -= fullest.bytes
    }
  }

  /** By peers; the fullest stream of each is the last one. */
  #holdings(): ReadonlyMap<PeerId, Holding> {
    const holdings = new Map<PeerId, Holding>()
    for (const [stream, peer] of this.#streams) {
      const bytes = stream.unreadBytes
      if (bytes === 0) continue
      const holding = holdings.get(peer) ?? { bytes: 0, streams: [] }
      holding.bytes += bytes
      holding.streams.push({ stream, bytes })
      holdings.set(peer, holding)
    }
    for (const { streams } of holdings.values()) streams.sort((a, b) => a.bytes - b.bytes)
    return holdings
  }
}

interface Holding {
  bytes: number
  readonly streams: { readonly stream: UnreadStream; readonly bytes: number }[]
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
