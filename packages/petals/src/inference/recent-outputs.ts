import type { FloatDtype } from '../tensor/dtype.ts'
import { Authorship, type Author } from './authorship.ts'
import { InputHistory } from './input-history.ts'
import type { HiddenTensor } from './step-outputs.ts'

/** Positions whose outputs are compared at a time, at most: more would hold up this process for too long. */
export const mostCompared = 512

/** After this many positions, the half that is older than them is forgotten. */
const halfLength = mostCompared

interface Half {
  readonly start: number
  readonly history: InputHistory
}

/**
 * The outputs of the last block. Those of the other hops are kept as inputs of the next one, but no server needs these: only
 * the latest are kept, 512 to 1,024 positions, so that they can be compared with those of another server.
 */
export class RecentOutputs {
  readonly authors = new Authorship()
  readonly #hiddenSize: number
  #halves: readonly Half[] = []

  constructor(hiddenSize: number) {
    this.#hiddenSize = hiddenSize
  }

  /** First position that is kept. */
  get start(): number {
    return this.#halves[0]?.start ?? this.end
  }

  get end(): number {
    const last = this.#halves.at(-1)
    return last ? last.start + last.history.length : 0
  }

  get byteLength(): number {
    return this.#halves.reduce((sum, { history }) => sum + history.byteLength, 0)
  }

  /** Adds outputs of the positions from `start` on. */
  append(outputs: HiddenTensor, start: number, author: Author): void {
    if (start !== this.end) this.#halves = []
    if ((this.#halves.at(-1)?.history.length ?? halfLength) >= halfLength)
      this.#halves = [...this.#halves.slice(-1), { start, history: new InputHistory(this.#hiddenSize) }]
    this.authors.note(author, start)
    this.#halves.at(-1)!.history.append(outputs)
  }

  /** Forgets everything from `length` on. */
  truncate(length: number): void {
    this.#halves = this.#halves.filter(({ start }) => start < length)
    const last = this.#halves.at(-1)
    last?.history.truncate(length - last.start)
    this.authors.truncate(length)
  }

  /** Returns positions [start, end), all of them kept. */
  slice(start: number, end: number, dtype: FloatDtype): readonly HiddenTensor[] {
    return this.#halves
      .filter((half) => half.start < end && half.start + half.history.length > start)
      .map((half) =>
        half.history.slice(
          Math.max(start - half.start, 0),
          Math.min(end - half.start, half.history.length),
          dtype,
        ),
      ) as readonly HiddenTensor[]
  }
}
