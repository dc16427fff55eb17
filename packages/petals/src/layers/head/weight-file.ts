import { open, type FileHandle } from 'node:fs/promises'
import { bytesOf } from '../../tensor/tensor.ts'
import type { QuantizedLayout } from './quantized-matrix.ts'

/** Bytes that are read at once: the weights are copied to their place in pieces, and take their memory only once. */
const pieceBytes = 8 * 2 ** 20

/** The file of 8-bit weights, as their process reads it. */
export class WeightFile implements AsyncDisposable {
  readonly #path: string
  readonly #layout: QuantizedLayout
  readonly #handle: FileHandle

  constructor(path: string, layout: QuantizedLayout, handle: FileHandle) {
    this.#path = path
    this.#layout = layout
    this.#handle = handle
  }

  /** The unit of each row's scales. */
  async units(): Promise<Float32Array> {
    const { rows, units } = this.#layout
    const values = new Float32Array(rows)
    await this.#fill(bytesOf(values), units)
    return values
  }

  /** The bytes of some rows, in pieces; each is valid until the next one is asked for. */
  async *rows(first: number, count: number): AsyncGenerator<Uint8Array, void, undefined> {
    const { rowBytes } = this.#layout
    const [begin, length] = [first * rowBytes, count * rowBytes]
    const buffer = new Uint8Array(Math.min(pieceBytes, length))
    for (let done = 0; done < length; done += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, length - done))
      await this.#fill(piece, begin + done)
      yield piece
    }
  }

  async allRows(): Promise<Uint8Array> {
    const { rows, rowBytes } = this.#layout
    const bytes = new Uint8Array(rows * rowBytes)
    let done = 0
    for await (const piece of this.rows(0, rows)) {
      bytes.set(piece, done)
      done += piece.length
    }
    return bytes
  }

  async #fill(target: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < target.length;) {
      const { bytesRead } = await this.#handle.read(target, done, target.length - done, position + done)
      if (bytesRead === 0) throw new RangeError(`${this.#path} ends early.`)
      done += bytesRead
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

/** @throws Error if it can't be opened */
export const openWeightFile = async (path: string, layout: QuantizedLayout): Promise<WeightFile> =>
  new WeightFile(path, layout, await open(path, 'r'))
