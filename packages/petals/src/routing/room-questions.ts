import type { PingOptions } from '../dht/dht-client.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { CacheRoom } from './cache-room.ts'
import type { SpanIndex } from './span-index.ts'

/** Asks a server for its free KV cache, in vectors; undefined if it does not tell. */
export type RoomProbe = (peer: PeerId, options: PingOptions) => Promise<number | undefined>

export interface RoomQuestionsOptions {
  readonly room: CacheRoom
  readonly probe: RoomProbe
  readonly timeoutMs: number
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
}

/** Servers that are asked at a time. */
const mostAsked = 16

/** Asks servers that seem full how much room they have now: some of them each time, so that all are asked in the end. */
export class RoomQuestions {
  readonly #options: RoomQuestionsOptions
  /** Servers that have been asked. */
  #asked = 0

  constructor(options: RoomQuestionsOptions) {
    this.#options = options
  }

  /** Asks those without room for a session of so many tokens. Never throws. */
  async ask(index: SpanIndex, tokens: number, signal: AbortSignal): Promise<void> {
    const { room, probe, timeoutMs, now } = this.#options
    const free = room.freeTokens(index)
    const short = index.spans.filter((_, slot) => free[slot]! < tokens)
    const count = Math.min(mostAsked, short.length)
    const turn = Array.from({ length: count }, (_, i) => short[(this.#asked + i) % short.length]!)
    this.#asked += count
    await Promise.all(
      turn.map(async (span) => {
        const askedAt = now()
        const left = await probe(span.peer, { signal, timeoutMs }).catch(() => undefined)
        if (left !== undefined) room.told(span, left, askedAt)
      }),
    )
  }
}
