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
 * has thousands of streams. When there are too many, the origin that holds the most loses streams: of its peers, the one that
 * holds the most loses its fullest ones.
 */
export class UnreadBound {
  readonly #most: number
  readonly #streams = new Map<UnreadStream, { readonly peer: PeerId; readonly origin: string }>()
  #timer: NodeJS.Timeout | undefined

  constructor(most: number) {
    this.#most = most
  }

  /**
   * Counts a stream until the returned function is called.
   * @param origin the peer itself if it is not known
   */
  track(peer: PeerId, origin: string, stream: UnreadStream): () => void {
    this.#streams.set(stream, { peer, origin })
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
    const origins = this.#holdings()
    let total = sum([...origins.values()].map(({ bytes }) => bytes))
    while (total > this.#most) {
      const origin = heaviest(origins.values())
      const peer = heaviest(origin.peers.values())
      const fullest = peer.streams.pop()!
      fullest.stream.abort(new Error('The peer has sent too much that is not read yet.'))
      origin.bytes -= fullest.bytes
      peer.bytes -= fullest.bytes
      total -= fullest.bytes
    }
  }

  /** By origins and their peers; the fullest stream of each peer is the last one. */
  #holdings(): ReadonlyMap<string, OriginHolding> {
    const origins = new Map<string, OriginHolding>()
    for (const [stream, { peer, origin }] of this.#streams) {
      const bytes = stream.unreadBytes
      if (bytes === 0) continue
      const ofOrigin = origins.get(origin) ?? { bytes: 0, peers: new Map<PeerId, Holding>() }
      const ofPeer = ofOrigin.peers.get(peer) ?? { bytes: 0, streams: [] }
      ofOrigin.bytes += bytes
      ofPeer.bytes += bytes
      ofPeer.streams.push({ stream, bytes })
      ofOrigin.peers.set(peer, ofPeer)
      origins.set(origin, ofOrigin)
    }
    for (const { peers } of origins.values())
      for (const { streams } of peers.values()) streams.sort((a, b) => a.bytes - b.bytes)
    return origins
  }
}

interface OriginHolding {
  bytes: number
  readonly peers: Map<PeerId, Holding>
}

interface Holding {
  bytes: number
  readonly streams: { readonly stream: UnreadStream; readonly bytes: number }[]
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const heaviest = <T extends { readonly bytes: number }>(holdings: Iterable<T>): T =>
  [...holdings].reduce((a, b) => (b.bytes > a.bytes ? b : a))
