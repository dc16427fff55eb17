import type { FloatDtype } from '../tensor/dtype.ts'
import { floatTensor, tensorValues } from '../tensor/tensor.ts'

/**
 * A miniature transformer block for tests. The output at a position depends on the input there, on all inputs before, on the
 * position and on the block, so that a token that was dropped, doubled or misplaced changes every later output. Values do
 * not depend on how the tokens were divided into requests.
 */
export class ToyBlock {
  readonly #block: number
  readonly #hiddenSize: number
  /** The state after each position; it stands for the KV cache. */
  readonly #states: Float32Array[] = []

  constructor(block: number, hiddenSize: number) {
    this.#block = block
    this.#hiddenSize = hiddenSize
  }

  /** Returns a block with the same cache. */
  copy(): ToyBlock {
    const copy = new ToyBlock(this.#block, this.#hiddenSize)
    copy.#states.push(...this.#states)
    return copy
  }

  /** Returns the output of one position. Overwrites the cache from `position` on; a gap is filled with zeros, as on real servers. */
  run(input: Float32Array, position: number): Float32Array {
    this.#states.length = Math.min(this.#states.length, position)
    while (this.#states.length < position) this.#states.push(new Float32Array(this.#hiddenSize))
    const before = this.#states[position - 1]
    const state = input.map((value, i) => Math.fround(0.5 * (before?.[i] ?? 0)) + value)
    this.#states.push(state)
    const shift = this.#block % this.#hiddenSize
    return input.map((value, i) => {
      const mixed = Math.fround(0.5 * value) + Math.fround(0.25 * state[(i + shift) % this.#hiddenSize]!)
      return Math.fround(mixed) + Math.fround(0.01 * ((this.#block * 7 + position * 3 + i) % 11) - 0.05)
    })
  }
}

/** Runs tokens through consecutive blocks and rounds to `dtype`, as a server of that type does. */
export function runToyBlocks(
  blocks: readonly ToyBlock[],
  inputs: Float32Array,
  hiddenSize: number,
  position: number,
  dtype: FloatDtype,
): Float32Array {
  const round = (values: Float32Array): Float32Array =>
    tensorValues(floatTensor(values, [values.length], dtype))
  const outputs = new Float32Array(inputs.length)
  for (let start = 0; start < inputs.length; start += hiddenSize) {
    let values = round(inputs.subarray(start, start + hiddenSize))
    for (const block of blocks) values = round(block.run(values, position + start / hiddenSize))
    outputs.set(values, start)
  }
  return outputs
}

/** Returns the blocks `start` … `end` - 1 with empty caches. */
export const toyBlocks = (start: number, end: number, hiddenSize: number): ToyBlock[] =>
  Array.from({ length: end - start }, (_, i) => new ToyBlock(start + i, hiddenSize))
