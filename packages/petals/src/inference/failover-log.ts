import type { Span } from '../blocks/spans.ts'

/** A server that was left in mid-session. */
export interface SessionFailover {
  readonly failed: Span
  readonly reason: string
  /** Tokens in the session when it happened. */
  readonly position: number
  /** From the failure to the first result of the new servers; so far, if there is none yet. */
  readonly pauseMs: number
  readonly replacedBy: readonly Span[]
}

/** Failovers of a session that are remembered; a swarm that makes more of them is not worth a longer list. */
const maxEntries = 64

interface Entry extends Omit<SessionFailover, 'pauseMs'> {
  readonly failedAt: number
  settledAt: number | undefined
}

/** What became of the servers of a session. */
export class FailoverLog {
  readonly #entries: Entry[] = []

  /** `failedAt`: `performance.now()` milliseconds. */
  add(entry: Omit<Entry, 'settledAt'>): void {
    this.#entries.push({ ...entry, settledAt: undefined })
    if (this.#entries.length > maxEntries) this.#entries.shift()
  }

  /** The servers that took over have answered. */
  settle(): void {
    for (const entry of this.#entries) entry.settledAt ??= performance.now()
  }

  /** Oldest first. */
  list(): readonly SessionFailover[] {
    const now = performance.now()
    return this.#entries.map(({ failedAt, settledAt = now, ...entry }) => ({
      ...entry,
      pauseMs: settledAt - failedAt,
    }))
  }
}
