/** The result of one piece of text. */
export interface StopMatch {
  /** Text that can no longer be part of a stop sequence. */
  readonly text: string
  /** The stop sequence that was met. Its text, and all after it, is dropped. */
  readonly stop: string | undefined
}

/** The state of one stop sequence: a Knuth-Morris-Pratt automaton over UTF-16 code units. */
interface Progress {
  readonly stop: string
  /** failure[n]: length of the longest proper border of the first n + 1 units. */
  readonly failure: readonly number[]
  matched: number
}

/**
 * Finds stop sequences in a stream of text, however it is cut into pieces. The sequence that ends first wins (the longest,
 * if several end there). Text that may be the beginning of one is held back until that is decided.
 */
export class StopMatcher {
  readonly #progress: readonly Progress[]
  #held = ''

  constructor(stops: readonly string[]) {
    this.#progress = [...new Set(stops)]
      .filter((stop) => stop !== '')
      .map((stop) => ({ stop, failure: failureTable(stop), matched: 0 }))
  }

  push(piece: string): StopMatch {
    const text = this.#held + piece
    for (let index = this.#held.length; index < text.length; index++) {
      const met = this.#advance(text.charCodeAt(index))
      if (met === undefined) continue
      this.#held = ''
      return { text: text.slice(0, index + 1 - met.stop.length), stop: met.stop }
    }
    const certain = text.length - Math.max(0, ...this.#progress.map(({ matched }) => matched))
    this.#held = text.slice(certain)
    return { text: text.slice(0, certain), stop: undefined }
  }

  /** Returns the text that was held back, at the end of the answer. */
  flush(): string {
    const held = this.#held
    this.#held = ''
    for (const progress of this.#progress) progress.matched = 0
    return held
  }

  /** Advances every automaton by one unit. Returns the longest sequence that this unit completes, if any. */
  #advance(unit: number): Progress | undefined {
    let met: Progress | undefined
    for (const progress of this.#progress) {
      const { stop, failure } = progress
      while (progress.matched > 0 && stop.charCodeAt(progress.matched) !== unit) {
        progress.matched = failure[progress.matched - 1]!
      }
      if (stop.charCodeAt(progress.matched) === unit) progress.matched++
      if (progress.matched === stop.length && stop.length > (met?.stop.length ?? 0)) met = progress
    }
    return met
  }
}

function failureTable(stop: string): readonly number[] {
  const failure = [0]
  for (let index = 1, border = 0; index < stop.length; index++) {
    while (border > 0 && stop[index] !== stop[border]) border = failure[border - 1]!
    if (stop[index] === stop[border]) border++
    failure.push(border)
  }
  return failure
}
