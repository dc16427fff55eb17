import type { Timings } from './generate-text.types.ts'

/** Takes the times of one answer. Starts when it is made. */
export class Stopwatch {
  readonly #started = performance.now()
  #first: number | undefined
  #last: number | undefined

  /** A token came. */
  tick(): void {
    this.#last = performance.now()
    this.#first ??= this.#last
  }

  timings(): Timings {
    const first = this.#first ?? performance.now()
    return { timeToFirstTokenMs: first - this.#started, decodeMs: (this.#last ?? first) - first }
  }
}
