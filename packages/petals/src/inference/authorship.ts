import type { PeerId } from '../p2p/peer-id.ts'

interface Run {
  readonly author: PeerId
  readonly from: number
}

/** Which servers computed the positions of a history: each from one position on, until the next one. */
export class Authorship {
  readonly #runs: Run[] = []

  /** Notes that this server computed what follows position `from`. */
  note(author: PeerId, from: number): void {
    if (this.#runs.at(-1)?.author !== author) this.#runs.push({ author, from })
  }

  /** Forgets everything from `length` on. */
  truncate(length: number): void {
    while (this.#runs.length > 0 && this.#runs.at(-1)!.from >= length) this.#runs.pop()
  }

  /** Returns the first position that the server computed; undefined if it computed none. */
  firstOf(author: PeerId): number | undefined {
    return this.#runs.find((run) => run.author === author)?.from
  }

  /** Returns the position from which on the server computed everything up to `end`; undefined if others did it. */
  sinceOf(author: PeerId, end: number): number | undefined {
    const last = this.#runs.findLast(({ from }) => from < end)
    return last?.author === author ? last.from : undefined
  }

  /** Returns the servers, each once. */
  get authors(): ReadonlySet<PeerId> {
    return new Set(this.#runs.map(({ author }) => author))
  }
}
