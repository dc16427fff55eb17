import type { Span } from '../blocks/spans.ts'

/** Tokens that servers have answered for a session, over all hops. Both numbers only grow. */
export interface Progress {
  /** Those that no server had answered before. */
  readonly fresh: number
  /** Those of replays, once for each server: a server that replays a session again and again advances nothing. */
  readonly replayed: number
}

/** The outputs of one answer: positions `from` … `to`, and how many of them were not known before. */
interface AnsweredTokens {
  readonly from: number
  readonly to: number
  readonly fresh: number
}

/** Counts the progress of an open route. */
export class RouteProgress implements Progress {
  fresh = 0
  replayed = 0
  /** The position that each server has reached at each block that it began with. */
  readonly #reached = new Map<string, number>()

  note({ peer, start }: Span, { from, to, fresh }: AnsweredTokens): void {
    const key = `${peer} ${start}`
    const reached = this.#reached.get(key) ?? 0
    this.fresh += fresh
    this.replayed += Math.max(0, to - fresh - Math.max(from, reached))
    this.#reached.set(key, Math.max(reached, to))
  }

  /** What follows `position` will be answered anew. */
  rewind(position: number): void {
    for (const [key, reached] of this.#reached) this.#reached.set(key, Math.min(reached, position))
  }
}
