import type { FloatDtype } from '../tensor/dtype.ts'
import { floatTensor, tensorValues } from '../tensor/tensor.ts'

/**
 * A transformer block in miniature, for tests: the output at a position depends on the input there, on all inputs before,
 * on the position and on the block. So a token that was dropped, doubled or misplaced anywhere shows in every later output.
 * Values don't depend on how the tokens were spread over requests.
 */
export class ToyBlock {
  readonly #block: number
  readonly #hiddenSize: number
  /** State after each position, as a KV cache would let one compute it. */
  readonly #states: Float32Array[] = []

  constructor(block: number, hiddenSize: number) {
    this.#block = block
    this.#hiddenSize = hiddenSize
  }

  /** Outputs of one position. What is cached from `position` on is overwritten; a gap reads zeros, as on real servers. */
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

/** Runs tokens through blocks one after the other, rounding to `dtype` as a server of that type does. */
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

/** Blocks `start` … `end` - 1, with empty caches. */
export const toyBlocks = (start: number, end: number, hiddenSize: number): ToyBlock[] =>
  Array.from({ length: end - start }, (_, i) => new ToyBlock(start + i, hiddenSize))
