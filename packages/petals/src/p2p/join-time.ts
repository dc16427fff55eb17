/** Connections that are made within this time, milliseconds, belong to one join: initial peers are dialled at once. */
const sameJoinMs = 30_000

/**
 * How long it takes this client to connect to the nearest of its initial peers. Each join, and each later connection to an
 * initial peer, is measured anew: a line that was fast may have become slow.
 */
export class JoinTime {
  readonly #now: () => number
  #ms = 0
  #measuredAt = -Infinity

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Milliseconds; 0 before the first connection. */
  get ms(): number {
    return this.#ms
  }

  /** Notes that connecting to an address of an initial peer took so many milliseconds. */
  note(ms: number): void {
    const isOfSameJoin = this.#now() - this.#measuredAt < sameJoinMs
    this.#ms = isOfSameJoin ? Math.min(this.#ms, ms) : ms
    if (!isOfSameJoin) this.#measuredAt = this.#now()
  }
}
