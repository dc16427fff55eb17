import { ggmlTypes } from '@petals-chat/ggml'
import {
  Backend,
  DeviceTensors,
  newContext,
  type Ggml,
  type Pointer,
  type Tensor,
} from '@petals-chat/ggml/native'
import { stretchTokens } from '../../tensor/logits.ts'
import type { QuantizedInputs } from './quantized-input.ts'
import type { QuantizedLayout } from './quantized-matrix.ts'
import { blockColumns } from './quantized-vector.ts'
import type { ScreeningAnswer } from './screening-frames.ts'
import type { ScreeningProduct } from './screening-product.ts'

/** Positions that are multiplied at once. More take as long for each: then the kernel computes, and does not wait for memory. */
const mostTogether = 8

/** A thread takes this many bytes of rows at a time, so that one that other programs slow down takes fewer. */
const sliceBytes = 16 * 2 ** 20

export interface GgmlProductOptions {
  /** Reads the bytes of some rows, in pieces. */
  readonly rows: (first: number, count: number) => AsyncIterable<Uint8Array>
  /** The unit of each row's scales. */
  readonly units: Float32Array
  /** Threads, ≥ 1; libuv's pool has no fewer. */
  readonly threads: number
}

/**
 * The product on llama.cpp's kernels. ggml's own threads spin while they wait for each other. So each slice of the rows is a
 * computation of its own with one thread, on threads of libuv's pool, which sleep.
 */
export class GgmlProduct implements ScreeningProduct {
  readonly #layout: QuantizedLayout
  readonly #slices: readonly Slice[]
  readonly #units: Float32Array
  readonly #threads: number

  private constructor(
    layout: QuantizedLayout,
    slices: readonly Slice[],
    units: Float32Array,
    threads: number,
  ) {
    this.#layout = layout
    this.#slices = slices
    this.#units = units
    this.#threads = threads
  }

  /** Reads the rows into memory of ggml. @throws Error if there is too little, or the file can't be read */
  static async open(
    ggml: Ggml,
    layout: QuantizedLayout,
    { rows: readRows, units, threads }: GgmlProductOptions,
  ): Promise<GgmlProduct> {
    const slices: Slice[] = []
    for (const { first, rows } of slicesOf(layout, threads)) {
      const slice = new Slice(ggml, layout, first, rows)
      slices.push(slice)
      await slice.load(readRows(first, rows))
    }
    return new GgmlProduct(layout, slices, units, threads)
  }

  async multiply(
    { positions, bytes, units }: QuantizedInputs,
    answer: Pick<ScreeningAnswer, 'put'>,
  ): Promise<void> {
    const { rowBytes } = this.#layout
    for (let first = 0; first < positions; first += mostTogether) {
      const count = Math.min(mostTogether, positions - first)
      await this.#multiplyTogether(
        bytes.subarray(first * rowBytes, (first + count) * rowBytes),
        count,
        (slice, products) => {
          const ofRows = this.#units.subarray(slice.first, slice.first + slice.rows)
          for (let index = 0; index < count; index++) {
            const own = products.subarray(index * slice.rows, (index + 1) * slice.rows)
            answer.put(first + index, slice.first, own, ofRows, units[first + index]!)
          }
        },
      )
    }
  }

  /** Each thread takes the next slice when it has done one. */
  async #multiplyTogether(
    inputs: Uint8Array,
    count: number,
    use: (slice: Slice, products: Float32Array) => void,
  ): Promise<void> {
    const waiting = this.#slices.values()
    const work = async (): Promise<void> => {
      for (const slice of waiting) use(slice, await slice.multiply(inputs, count))
    }
    const ends = await Promise.allSettled(Array.from({ length: this.#threads }, work))
    // Only now is no thread using the slices, which the next call writes to.
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }
}

/** Cuts the rows for so many threads: all slices but the last have the same size, in whole stretches. */
export function slicesOf(
  { rows, rowBytes }: Pick<QuantizedLayout, 'rows' | 'rowBytes'>,
  threads: number,
): readonly { readonly first: number; readonly rows: number }[] {
  const turns = threads === 1 ? 1 : Math.ceil((rows * rowBytes) / (threads * sliceBytes))
  const size = Math.ceil(rows / (threads * turns * stretchTokens)) * stretchTokens
  return Array.from({ length: Math.ceil(rows / size) }, (_, index) => ({
    first: index * size,
    rows: Math.min(size, rows - index * size),
  }))
}

/** A graph that multiplies some vectors with the rows of a slice. */
interface SliceGraph {
  readonly graph: Pointer
  readonly inputs: Tensor
  /** Bytes from one vector to the next. */
  readonly stride: number
  readonly outputs: Tensor
  readonly products: Float32Array
}

/** Some rows, with a backend of their own that computes on one thread. */
class Slice {
  readonly first: number
  readonly rows: number
  readonly #ggml: Ggml
  readonly #backend: Backend
  readonly #layout: QuantizedLayout
  readonly #weights: Tensor
  readonly #graphs = new Map<number, SliceGraph>()

  constructor(ggml: Ggml, layout: QuantizedLayout, first: number, rows: number) {
    this.first = first
    this.rows = rows
    this.#ggml = ggml
    this.#layout = layout
    this.#backend = new Backend(ggml, 'cpu')
    this.#backend.setThreads(1)
    const shape = [this.#columns, rows]
    // The backend's own kind of memory: others would have the weights in an order that only some kernels know.
    this.#weights = new DeviceTensors(this.#backend, [{ type: ggmlTypes.q8_0, shape }]).tensors[0]!
  }

  get #columns(): number {
    return Math.ceil(this.#layout.columns / blockColumns) * blockColumns
  }

  async load(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    let offset = 0
    for await (const piece of pieces) {
      this.#ggml.backend_tensor_set(this.#weights, piece, offset, piece.length)
      offset += piece.length
    }
  }

  /** Returns the products, [count, rows], in memory that the next call overwrites. */
  async multiply(inputs: Uint8Array, count: number): Promise<Float32Array> {
    const graph = this.#graphFor(count)
    const { rowBytes } = this.#layout
    for (let index = 0; index < count; index++) {
      const input = inputs.subarray(index * rowBytes, (index + 1) * rowBytes)
      this.#ggml.backend_tensor_set(graph.inputs, input, index * graph.stride, rowBytes)
    }
    await this.#backend.compute(graph.graph)
    const products = graph.products.subarray(0, count * this.rows)
    this.#ggml.backend_tensor_get(graph.outputs, products, 0, products.byteLength)
    return products
  }

  #graphFor(count: number): SliceGraph {
    const { columns, rowBytes } = this.#layout
    const kernel = kernelFor(count, columns)
    let found = this.#graphs.get(kernel.vectors)
    if (!found) this.#graphs.set(kernel.vectors, (found = this.#build(kernel, rowBytes)))
    return found
  }

  #build({ vectors, spread }: Kernel, rowBytes: number): SliceGraph {
    const ggml = this.#ggml
    const context = newContext(ggml, 4, 4)
    const stride = spread ? 2 * rowBytes : rowBytes
    const inputs = ggml.new_tensor_2d(context, ggmlTypes.q8_0, this.#columns, spread ? 2 * vectors : vectors)
    const used = spread ? ggml.view_2d(context, inputs, this.#columns, vectors, stride, 0) : inputs
    const outputs = ggml.mul_mat(context, this.#weights, used)
    const graph = ggml.new_graph_custom(context, 4, false)
    ggml.build_forward_expand(graph, outputs)
    const buffer = ggml.backend_alloc_ctx_tensors(context, this.#backend.handle)
    if (!buffer) throw new Error('There is no memory for the products of the LM head.')
    ggml.backend_buffer_clear(buffer, 0)
    return { graph, inputs, stride, outputs, products: new Float32Array(vectors * this.rows) }
  }
}

interface Kernel {
  /** Vectors that are multiplied, of which the last ones may be zeros. */
  readonly vectors: number
  /** Leaves room between the vectors: then ggml takes the kernel for one vector, again and again for each 16 rows. */
  readonly spread: boolean
}

/**
 * ggml's kernel for several vectors (tinyBLAS) computes four at once. It pays for four and more, and for seven and more where
 * rows are short: docs/decisions/2026-11-24-lm-head.md has the times.
 */
export function kernelFor(count: number, columns: number): Kernel {
  const few = columns <= 1024 ? 6 : 3
  if (count <= few) return { vectors: count, spread: count > 1 }
  return { vectors: Math.ceil(count / 4) * 4, spread: false }
}
