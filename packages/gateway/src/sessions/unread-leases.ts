import type { AnswerReader } from '../answer-reader.ts'

export interface UnreadLeasesOptions {
  /** Milliseconds that an answer without a reader keeps its session while others wait: time to reload a page. */
  readonly graceMs: number
  /** The number of requests that wait for a session. */
  readonly waiting: () => number
}

/** The leases of answers that may be without a reader. They give way to the requests that wait. */
export class UnreadLeases {
  readonly #options: UnreadLeasesOptions
  readonly #readers = new Set<AnswerReader>()
  #next: NodeJS.Timeout | undefined

  constructor(options: UnreadLeasesOptions) {
    this.#options = options
  }

  /** Adds a lease until the result is disposed. */
  add(reader: AnswerReader): Disposable {
    this.#readers.add(reader)
    // Requests that wait already would otherwise not be looked at before the next one comes.
    this.makeWay()
    return { [Symbol.dispose]: () => void this.#readers.delete(reader) }
  }

  /**
   * Ends as many answers as requests wait: those without a reader for longer than the grace, the longest first. Goes on as
   * long as requests wait.
   */
  makeWay(): void {
    clearTimeout(this.#next)
    const { graceMs, waiting } = this.#options
    const count = waiting()
    if (count === 0 || this.#readers.size === 0) return
    const unread = [...this.#readers].filter(({ unreadMs = -1 }) => unreadMs >= graceMs)
    unread.sort((left, right) => right.unreadMs! - left.unreadMs!)
    for (const reader of unread.slice(0, count)) reader.giveWay()
    this.#next = setTimeout(() => this.makeWay(), Math.max(graceMs / 4, MIN_INTERVAL_MS))
    this.#next.unref()
  }
}

const MIN_INTERVAL_MS = 10
