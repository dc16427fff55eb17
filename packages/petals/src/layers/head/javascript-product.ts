import type { QuantizedInputs } from './quantized-input.ts'
import type { QuantizedLayout } from './quantized-matrix.ts'
import { blockBytes, blockColumns, scaleAt } from './quantized-vector.ts'
import type { ScreeningAnswer } from './screening-frames.ts'
import type { ScreeningProduct } from './screening-product.ts'

/**
 * The product without native code, for systems that llama.cpp's libraries do not fit. It takes about 20 times as long. Sums are
 * in float64, so the bound of the kernels holds.
 */
export class JavaScriptProduct implements ScreeningProduct {
  readonly #layout: QuantizedLayout
  readonly #codes: Int8Array
  readonly #scales: Float32Array
  readonly #units: Float32Array

  /** `weights`: the rows of the file, which stay in use. */
  constructor(layout: QuantizedLayout, weights: Uint8Array, units: Float32Array) {
    this.#layout = layout
    this.#codes = new Int8Array(weights.buffer, weights.byteOffset, weights.length)
    this.#scales = scalesOf(weights)
    this.#units = units
  }

  multiply(
    { positions, bytes, units }: QuantizedInputs,
    answer: Pick<ScreeningAnswer, 'put'>,
  ): Promise<void> {
    const { rows, rowBytes } = this.#layout
    const products = Array.from({ length: positions }, () => new Float32Array(rows))
    const codes = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    const scales = scalesOf(bytes)
    const blocks = rowBytes / blockBytes
    for (let row = 0; row < rows; row++) {
      const weights = { codes: this.#codes, scales: this.#scales, start: row * blocks }
      for (const [position, own] of products.entries())
        own[row] = dot(weights, { codes, scales, start: position * blocks }, blocks)
    }
    for (const [position, own] of products.entries())
      answer.put(position, 0, own, this.#units, units[position]!)
    return Promise.resolve()
  }
}

interface Vector {
  readonly codes: Int8Array
  readonly scales: Float32Array
  /** Index of the first block. */
  readonly start: number
}

function dot(a: Vector, b: Vector, blocks: number): number {
  const [codes, others] = [a.codes, b.codes]
  let sum = 0
  for (let block = 0; block < blocks; block++) {
    let products = 0
    let other = (b.start + block) * blockBytes + 2
    const end = (a.start + block + 1) * blockBytes
    for (let place = end - blockColumns; place < end; place++) products += codes[place]! * others[other++]!
    sum += products * a.scales[a.start + block]! * b.scales[b.start + block]!
  }
  return sum
}

const scalesOf = (bytes: Uint8Array): Float32Array =>
  Float32Array.from({ length: bytes.length / blockBytes }, (_, block) => scaleAt(bytes, block * blockBytes))
