import { type BlockKind, type BlockShape, kvSize } from '../model/block-shape.ts'
import { ggmlTypes } from '@petals-chat/ggml'
import { type Ggml, type Pointer, type Tensor, newContext, type Backend } from '@petals-chat/ggml/native'
import { fillMask } from './attention-mask.ts'
import type { BlockContext, BuildBlock } from './block-context.ts'
import { buildBloomBlock } from './bloom-block.ts'
import { buildFalconBlock } from './falcon-block.ts'
import { buildLlamaBlock } from './llama-block.ts'

const builders: Readonly<Record<BlockKind, BuildBlock>> = {
  llama: buildLlamaBlock,
  falcon: buildFalconBlock,
  bloom: buildBloomBlock,
}

/** The blocks of an engine: weights by name, and the cells of the KV cache, `[kvSize, cells]`. */
export interface LoadedBlock {
  readonly weights: ReadonlyMap<string, Tensor>
  readonly keys: Tensor
  readonly values: Tensor
}

export interface LoadedBlocks {
  readonly shape: BlockShape
  readonly blocks: readonly LoadedBlock[]
  readonly ropeFactors: Tensor | undefined
  /** Bytes of an element of the KV cache. */
  readonly cacheElementBytes: number
}

/** One sequence of a step. */
export interface GraphRow {
  readonly count: number
  /** Cells that it reads, from the first one of its place in each block. */
  readonly kvLength: number
  /** The first cell of its place, for each block of the graph. */
  readonly starts: readonly number[]
}

/** Blocks [from, to) over sequences, whose tokens are one after the other. */
export interface GraphPlan {
  readonly from: number
  readonly to: number
  readonly rows: readonly GraphRow[]
  /** The input of each block is added to: deep prompts. */
  readonly hasPrompts: boolean
}

export interface StepInputs {
  readonly states: Float32Array
  /** The position of each row's first token. */
  readonly positions: readonly number[]
  /** `[blocks, tokens, hidden]`. */
  readonly prompts?: Float32Array | undefined
}

export interface RunOptions {
  readonly backend?: Backend | undefined
  readonly limitMs?: number | undefined
}

/** Nodes of a block of any kind without its sequences, and for each sequence. */
const nodesOfBlock = 64
const nodesOfRow = 8
/** Slopes of ALiBi begin at 2^(−8/heads) (transformers, build_alibi_tensor). */
const alibiMaxBias = 8
/** ggml.h: GGML_PREC_F32. */
const precisionF32 = 10

/** The graph of a step, which can be computed again with other inputs while its sequences stay at their places. */
export class StepGraph implements Disposable {
  readonly #ggml: Ggml
  readonly #backend: Backend
  readonly #loaded: LoadedBlocks
  readonly #plan: GraphPlan
  readonly #context: Pointer
  readonly #graph: Pointer
  readonly #tokens: number
  readonly #input: Tensor
  readonly #positions: Tensor
  readonly #cells: Tensor
  readonly #mask: Tensor
  readonly #prompts: Tensor | undefined
  readonly #output: Tensor

  constructor(backend: Backend, loaded: LoadedBlocks, plan: GraphPlan) {
    const { ggml } = backend
    const { f16, f32, i32, i64 } = ggmlTypes
    const blocks = plan.to - plan.from
    const nodes = blocks * (nodesOfBlock + nodesOfRow * plan.rows.length) + 16
    const tokens = sum(plan.rows.map(({ count }) => count))
    const { hiddenSize } = loaded.shape
    this.#ggml = ggml
    this.#backend = backend
    this.#loaded = loaded
    this.#plan = plan
    this.#tokens = tokens
    const context = (this.#context = newContext(ggml, nodes, nodes))
    this.#graph = ggml.new_graph_custom(context, nodes, false)
    const input = <T extends Tensor>(tensor: T): T => {
      ggml.set_input(tensor)
      return tensor
    }
    this.#input = input(ggml.new_tensor_2d(context, f32, hiddenSize, tokens))
    this.#positions = input(ggml.new_tensor_1d(context, i32, tokens))
    this.#cells = input(ggml.new_tensor_1d(context, i64, tokens * blocks))
    this.#mask = input(
      ggml.new_tensor_1d(context, f16, sum(plan.rows.map(({ count, kvLength }) => count * kvLength))),
    )
    if (plan.hasPrompts) this.#prompts = input(ggml.new_tensor_3d(context, f32, hiddenSize, tokens, blocks))
    this.#output = this.#build()
    ggml.set_output(this.#output)
    ggml.build_forward_expand(this.#graph, this.#output)
  }

  /** Gives the graph its memory. @throws Error if there is too little */
  allocate(allocator: Pointer): void {
    if (!this.#ggml.gallocr_alloc_graph(allocator, this.#graph))
      throw new Error('There is too little memory for the step.')
  }

  /**
   * Computes the graph; the outputs are `[tokens, hidden]`, undefined if it was stopped after `limitMs`.
   * @param options.backend one with the same memory as that of the graph, which is the default
   */
  async run(
    { states, positions, prompts }: StepInputs,
    { backend = this.#backend, limitMs }: RunOptions = {},
  ): Promise<Float32Array | undefined> {
    const { rows } = this.#plan
    const { shape } = this.#loaded
    const set = (tensor: Tensor, values: ArrayBufferView) =>
      this.#ggml.backend_tensor_set(tensor, values, 0, values.byteLength)
    // Memory of inputs is used again within a step, so all are set for each one.
    set(this.#input, states)
    if (shape.rope) set(this.#positions, this.#tokenPositions(positions))
    set(this.#cells, this.#tokenCells(positions))
    const maskRows = rows.map(({ count, kvLength }, row) => ({ count, kvLength, position: positions[row]! }))
    const { slidingWindow } = shape
    set(this.#mask, fillMask(maskRows, { slidingWindow, isAlibi: !shape.rope }))
    if (this.#prompts !== undefined && prompts) set(this.#prompts, prompts)
    if (!(await backend.compute(this.#graph, limitMs))) return undefined
    const output = new Float32Array(states.length)
    this.#ggml.backend_tensor_get(this.#output, output, 0, output.byteLength)
    return output
  }

  [Symbol.dispose](): void {
    this.#ggml.free(this.#context)
  }

  #tokenPositions(positions: readonly number[]): Int32Array {
    const result = new Int32Array(this.#tokens)
    let token = 0
    for (const [row, { count }] of this.#plan.rows.entries())
      for (let index = 0; index < count; index++) result[token++] = positions[row]! + index
    return result
  }

  /** The cells that the tokens' keys and values are written to, block by block. */
  #tokenCells(positions: readonly number[]): BigInt64Array {
    const blocks = this.#plan.to - this.#plan.from
    const result = new BigInt64Array(this.#tokens * blocks)
    let place = 0
    for (let block = 0; block < blocks; block++)
      for (const [row, { count, starts }] of this.#plan.rows.entries()) {
        const first = starts[block]! + positions[row]!
        for (let index = 0; index < count; index++) result[place++] = BigInt(first + index)
      }
    return result
  }

  #build(): Tensor {
    const { from, to } = this.#plan
    const { shape, blocks, ropeFactors } = this.#loaded
    const [ggml, context] = [this.#ggml, this.#context]
    let state = this.#input
    for (let index = from; index < to; index++) {
      const loaded = blocks[index]!
      const block: BlockContext = {
        ggml,
        context,
        shape,
        ropeFactors,
        tokens: this.#tokens,
        positions: this.#positions,
        weight: (name) => loaded.weights.get(name),
        attend: (q, k, v) => this.#attend(loaded, index - from, q, k, v),
      }
      state = builders[shape.kind](block, this.#withPrompts(state, index - from))
    }
    return state
  }

  #withPrompts(state: Tensor, index: number): Tensor {
    if (this.#prompts === undefined) return state
    const [ggml, context, size] = [this.#ggml, this.#context, this.#loaded.shape.hiddenSize]
    const rowBytes = size * Float32Array.BYTES_PER_ELEMENT
    const part = ggml.view_2d(
      context,
      this.#prompts,
      size,
      this.#tokens,
      rowBytes,
      index * rowBytes * this.#tokens,
    )
    return ggml.add(context, state, part)
  }

  #attend(block: LoadedBlock, index: number, q: Tensor, k: Tensor, v: Tensor): Tensor {
    const [ggml, context, tokens] = [this.#ggml, this.#context, this.#tokens]
    const { shape } = this.#loaded
    const cells = ggml.view_1d(context, this.#cells, tokens, index * tokens * BigInt64Array.BYTES_PER_ELEMENT)
    const flat = ggml.reshape_2d(context, k, kvSize(shape), tokens)
    ggml.build_forward_expand(this.#graph, ggml.set_rows(context, block.keys, flat, cells))
    ggml.build_forward_expand(this.#graph, ggml.set_rows(context, block.values, v, cells))
    let [token, masked] = [0, 0]
    const parts = this.#plan.rows.map((row) => {
      const part = this.#attendRow(block, row, row.starts[index]!, { q, token, masked })
      token += row.count
      masked += row.count * row.kvLength
      return part
    })
    return this.#joined(parts)
  }

  #attendRow(
    { keys, values }: LoadedBlock,
    { count, kvLength }: GraphRow,
    start: number,
    { q, token, masked }: { readonly q: Tensor; readonly token: number; readonly masked: number },
  ): Tensor {
    const [ggml, context] = [this.#ggml, this.#context]
    const { shape, cacheElementBytes } = this.#loaded
    const { heads, kvHeads, headSize } = shape
    const tokenBytes = heads * headSize * Float32Array.BYTES_PER_ELEMENT
    const headBytes = headSize * Float32Array.BYTES_PER_ELEMENT
    const queries = ggml.view_3d(
      context,
      q,
      headSize,
      count,
      heads,
      tokenBytes,
      headBytes,
      token * tokenBytes,
    )
    const cellBytes = kvSize(shape) * cacheElementBytes
    const cached = (tensor: Tensor) =>
      ggml.view_3d(
        context,
        tensor,
        headSize,
        kvLength,
        kvHeads,
        cellBytes,
        headSize * cacheElementBytes,
        start * cellBytes,
      )
    const mask = ggml.view_2d(context, this.#mask, kvLength, count, kvLength * 2, masked * 2)
    const maxBias = shape.rope ? 0 : alibiMaxBias
    const scale = 1 / Math.sqrt(headSize)
    const found = ggml.flash_attn_ext(context, queries, cached(keys), cached(values), mask, scale, maxBias, 0)
    ggml.flash_attn_ext_set_prec(found, precisionF32)
    return ggml.reshape_2d(context, found, heads * headSize, count)
  }

  /** Joins tokens of sequences pairwise, so that each is copied a few times only. */
  #joined(parts: readonly Tensor[]): Tensor {
    let level = parts
    while (level.length > 1) {
      const next: Tensor[] = []
      for (let index = 0; index < level.length; index += 2) {
        const [left, right] = [level[index]!, level[index + 1]]
        next.push(right === undefined ? left : this.#ggml.concat(this.#context, left, right, 1))
      }
      level = next
    }
    return level[0]!
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
