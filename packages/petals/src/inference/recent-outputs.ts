import type { FloatDtype } from '../tensor/dtype.ts'
import { Authorship, type Author } from './authorship.ts'
import { InputHistory } from './input-history.ts'
import type { HiddenTensor } from './step-outputs.ts'

/** Positions whose outputs are compared at a time, at most: more would hold up this process for too long. */
export const mostCompared = 512

/** After this many positions a new part begins, and the part before the last is forgotten, unless it is the first. */
const partLength = mostCompared

interface Part {
  readonly start: number
  readonly history: InputHistory
}

/**
 * The outputs of the last block. Those of the other hops are kept as inputs of the next one, but no server needs these: only
 * the first and the latest are kept, each of them 512 positions or more, so that they can be compared with those of another server.
 */
export class RecentOutputs {
  readonly authors = new Authorship()
  readonly #hiddenSize: number
  #parts: readonly Part[] = []

  constructor(hiddenSize: number) {
    this.#hiddenSize = hiddenSize
  }

  get end(): number {
    const last = this.#parts.at(-1)
    return last ? endOf(last) : 0
  }

  /** Returns the position from which on everything up to `end` is kept; undefined if the position before `end` is not. */
  sinceBefore(end: number): number | undefined {
    let at = this.#parts.findIndex((part) => part.start < end && end <= endOf(part))
    if (at < 0) return undefined
    while (at > 0 && endOf(this.#parts[at - 1]!) === this.#parts[at]!.start) at--
    return this.#parts[at]!.start
  }

  get byteLength(): number {
    return this.#parts.reduce((sum, { history }) => sum + history.byteLength, 0)
  }

  /** Adds outputs of the positions from `start` on. */
  append(outputs: HiddenTensor, start: number, author: Author): void {
    const last = this.#parts.at(-1)
    if (!last || start !== endOf(last) || last.history.length >= partLength) this.#begin(start)
    this.authors.note(author, start)
    this.#parts.at(-1)!.history.append(outputs)
  }

  /** Forgets everything from `length` on. */
  truncate(length: number): void {
    this.#parts = this.#parts.filter(({ start }) => start < length)
    const last = this.#parts.at(-1)
    last?.history.truncate(length - last.start)
    this.authors.truncate(length)
  }

  #begin(start: number): void {
    const kept = this.#parts.filter((part, i) => part.start === 0 || i === this.#parts.length - 1)
    this.#parts = [...kept, { start, history: new InputHistory(this.#hiddenSize) }]
  }

  /** Returns positions [start, end), all of them kept. */
  slice(start: number, end: number, dtype: FloatDtype): readonly HiddenTensor[] {
    return this.#parts
      .filter((part) => part.start < end && part.start + part.history.length > start)
      .map((part) =>
        part.history.slice(
          Math.max(start - part.start, 0),
          Math.min(end - part.start, part.history.length),
          dtype,
        ),
      ) as readonly HiddenTensor[]
  }
}

const endOf = ({ start, history }: Part): number => start + history.length
