import type { QuantizedInputs } from './quantized-input.ts'
import type { QuantizedLayout } from './quantized-matrix.ts'
import { blockBytes, blockColumns, scaleAt } from './quantized-vector.ts'
import type { ScreeningProduct } from './screening-product.ts'

/**
 * The product without native code, for systems that llama.cpp's libraries do not fit. It takes 10 to 20 times as long. Sums are
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

  multiply({ positions, bytes, units }: QuantizedInputs): Promise<Float32Array> {
    const { rows, rowBytes } = this.#layout
    const estimates = new Float32Array(positions * rows)
    const codes = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    const scales = scalesOf(bytes)
    const blocks = rowBytes / blockBytes
    for (let row = 0; row < rows; row++) {
      for (let position = 0; position < positions; position++) {
        let sum = 0
        for (let block = 0; block < blocks; block++) {
          const products = this.#dot(
            row * rowBytes + block * blockBytes,
            codes,
            position * rowBytes + block * blockBytes,
          )
          sum += products * this.#scales[row * blocks + block]! * scales[position * blocks + block]!
        }
        estimates[position * rows + row] = sum * units[position]! * this.#units[row]!
      }
    }
    return Promise.resolve(estimates)
  }

  /** The sum of the products of two blocks' codes. */
  #dot(place: number, codes: Int8Array, other: number): number {
    let sum = 0
    for (let i = 2; i < 2 + blockColumns; i++) sum += this.#codes[place + i]! * codes[other + i]!
    return sum
  }
}

const scalesOf = (bytes: Uint8Array): Float32Array =>
  Float32Array.from({ length: bytes.length / blockBytes }, (_, block) => scaleAt(bytes, block * blockBytes))
