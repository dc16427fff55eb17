import type { HiddenStates } from '../tensor/hidden-states.ts'
import type { Logits } from '../tensor/logits.ts'

/** The outputs of the last positions of a step: each chooses one token. */
export class StepRows {
  readonly #outputs: HiddenStates
  readonly #logitsOf: (outputs: HiddenStates) => Promise<readonly Logits[]>
  #logits: Promise<readonly Logits[]> | undefined

  /** @param logitsOf - computes the logits of all rows in one pass */
  constructor(outputs: HiddenStates, logitsOf: (outputs: HiddenStates) => Promise<readonly Logits[]>) {
    this.#outputs = outputs
    this.#logitsOf = logitsOf
  }

  row(index: number): HiddenStates {
    return rowsOf(this.#outputs, index, index + 1)
  }

  async logits(index: number): Promise<Logits> {
    this.#logits ??= this.#logitsOf(this.#outputs)
    return (await this.#logits)[index]!
  }
}

/** Returns the positions [start, end). They share the memory of the given states. */
export function rowsOf(
  { shape: [, hiddenSize], data }: HiddenStates,
  start: number,
  end: number,
): HiddenStates {
  return { shape: [end - start, hiddenSize], data: data.subarray(start * hiddenSize, end * hiddenSize) }
}
