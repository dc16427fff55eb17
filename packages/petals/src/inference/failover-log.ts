import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** A server that was replaced in the middle of a session. */
export interface SessionFailover {
  readonly failed: Span
  readonly reason: string
  /** Tokens in the session when it happened. */
  readonly position: number
  /** From the failure to the first result of the new servers, or until now if there is none yet. */
  readonly pauseMs: number
  readonly replacedBy: readonly Span[]
  /** The server was found to compute something else than its blocks. Its outputs were used from this position on. */
  readonly wrongFrom?: number | undefined
  /** Its standby took over, which held the session already. */
  readonly byStandby?: boolean | undefined
}

/** Failovers that a session remembers. In a swarm that causes more of them, a longer list would say no more. */
const maxEntries = 64

interface Entry extends Omit<SessionFailover, 'pauseMs'> {
  readonly failedAt: number
  settledAt: number | undefined
}

/** The failovers of a session. */
export class FailoverLog {
  #entries: Entry[] = []

  /** `failedAt`: `performance.now()` milliseconds. */
  add(entry: Omit<Entry, 'settledAt'>): void {
    this.#entries.push({ ...entry, settledAt: undefined })
    if (this.#entries.length > maxEntries) this.#entries.shift()
  }

  /** Notes that a server which was replaced before had computed something else than its blocks. */
  markWrong(peer: PeerId, wrongFrom: number): void {
    this.#entries = this.#entries.map((entry) =>
      entry.failed.peer === peer && entry.wrongFrom === undefined ? { ...entry, wrongFrom } : entry,
    )
  }

  /** Notes that the replacements have answered. */
  settle(): void {
    for (const entry of this.#entries) entry.settledAt ??= performance.now()
  }

  /** Returns the failovers, oldest first. */
  list(): readonly SessionFailover[] {
    const now = performance.now()
    return this.#entries.map(({ failedAt, settledAt = now, ...entry }) => ({
      ...entry,
      pauseMs: settledAt - failedAt,
    }))
  }
}
