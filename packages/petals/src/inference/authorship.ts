import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** A session on a server: after its end, the server may have been started again as another one. */
export interface Author {
  readonly id: string
  /** What the server announced when the session began. */
  readonly span: Span
}

interface Run extends Author {
  readonly from: number
}

/** Which server sessions computed the positions of a history: each from one position on, until the next one. */
export class Authorship {
  readonly #runs: Run[] = []

  /** Notes that this session computed what follows position `from`. */
  note({ id, span }: Author, from: number): void {
    if (this.#runs.at(-1)?.id !== id) this.#runs.push({ id, span, from })
  }

  /** Forgets everything from `length` on. */
  truncate(length: number): void {
    while (this.#runs.length > 0 && this.#runs.at(-1)!.from >= length) this.#runs.pop()
  }

  /** Returns the first position that the server computed; undefined if it computed none. */
  firstOf(peer: PeerId): number | undefined {
    return this.#runs.find(({ span }) => span.peer === peer)?.from
  }

  /** Returns the session that computed the position before `end`, and from which position on it computed everything up to it. */
  before(end: number): (Author & { readonly from: number }) | undefined {
    return this.#runs.findLast(({ from }) => from < end)
  }

  /** Returns the servers, each once. */
  get authors(): ReadonlySet<PeerId> {
    return new Set(this.#runs.map(({ span }) => span.peer))
  }
}
