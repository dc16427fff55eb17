import type { BlockShape } from '../model/block-shape.ts'
import type { Ggml, Pointer, Tensor } from '@petals-chat/ggml/native'

/** What the graph of a block is built from. Tensors are `[elements, tokens]`, innermost first, unless said otherwise. */
export interface BlockContext {
  readonly ggml: Ggml
  readonly context: Pointer
  readonly shape: BlockShape
  /** Tokens in the step. */
  readonly tokens: number
  /** Position of each token, int32. */
  readonly positions: Tensor
  /** Each pair's frequency is divided by it; undefined for 1. */
  readonly ropeFactors: Tensor | undefined
  /** A weight of the block, if it has it. */
  weight(name: string): Tensor | undefined
  /**
   * Writes keys and values to the cache, and returns what the queries find in it.
   * @param q `[headSize, heads, tokens]`
   * @param k `[headSize, kvHeads, tokens]`
   * @param v `[kvHeads * headSize, tokens]`
   * @returns `[heads * headSize, tokens]`
   */
  attend(q: Tensor, k: Tensor, v: Tensor): Tensor
}

/** A function that adds a block to a graph: from the block's input to its output. */
export type BuildBlock = (block: BlockContext, input: Tensor) => Tensor

/** @throws Error if the block lacks the weight */
export function need(block: BlockContext, name: string): Tensor {
  const weight = block.weight(name)
  if (weight === undefined) throw new Error(`The block has no ${name}.`)
  return weight
}

/** Matrix times vectors, with a bias if there is one. */
export function linear(block: BlockContext, name: string, input: Tensor): Tensor {
  const { ggml, context } = block
  return addBias(block, name, ggml.mul_mat(context, need(block, `${name}.weight`), input))
}

function addBias(block: BlockContext, name: string, value: Tensor): Tensor {
  const bias = block.weight(`${name}.bias`)
  return bias === undefined ? value : block.ggml.add(block.context, value, bias)
}

export function rmsNorm(block: BlockContext, name: string, input: Tensor): Tensor {
  const { ggml, context, shape } = block
  return ggml.mul(context, ggml.rms_norm(context, input, shape.normEpsilon), need(block, `${name}.weight`))
}

export function layerNorm(block: BlockContext, name: string, input: Tensor): Tensor {
  const { ggml, context, shape } = block
  const normed = ggml.norm(context, input, shape.normEpsilon)
  return addBias(block, name, ggml.mul(context, normed, need(block, `${name}.weight`)))
}
