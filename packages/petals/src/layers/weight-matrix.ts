import { closeSync, openSync, readSync } from 'node:fs'
import { dtypeSize, type FloatDtype } from '../tensor/dtype.ts'
import { tensorValues } from '../tensor/tensor.ts'

/** Where a tensor's bytes are on this machine: C order, little-endian. */
export interface StoredTensor {
  readonly path: string
  /** Of its first byte in the file. */
  readonly offset: number
  readonly dtype: FloatDtype
  readonly shape: readonly number[]
}

/**
 * A matrix that stays in its file; rows are read when they are needed. The operating system's page cache keeps what is
 * hot, so a vocabulary of a gigabyte costs this process no memory of its own.
 */
export class WeightMatrix implements Disposable {
  readonly rows: number
  readonly columns: number
  readonly #tensor: StoredTensor
  readonly #rowBytes: number
  readonly #file: number

  constructor(tensor: StoredTensor) {
    const [rows, columns] = tensor.shape
    if (tensor.shape.length !== 2 || rows === undefined || columns === undefined) {
      throw new RangeError(`A matrix has two dimensions, not [${tensor.shape.join(', ')}].`)
    }
    this.rows = rows
    this.columns = columns
    this.#tensor = tensor
    this.#rowBytes = columns * dtypeSize(tensor.dtype)
    this.#file = openSync(tensor.path, 'r')
  }

  /** Rows [start, end) as float32, exact for every stored type; length (end - start) x columns. */
  read(start: number, end: number): Float32Array {
    if (!(start >= 0 && start <= end && end <= this.rows)) {
      throw new RangeError(`Rows ${start}…${end} are outside of 0…${this.rows}.`)
    }
    const data = new Uint8Array((end - start) * this.#rowBytes)
    let done = 0
    while (done < data.length) {
      const position = this.#tensor.offset + start * this.#rowBytes + done
      const count = readSync(this.#file, data, done, data.length - done, position)
      if (count === 0) throw new RangeError(`${this.#tensor.path} ends in the middle of a tensor.`)
      done += count
    }
    return tensorValues({ dtype: this.#tensor.dtype, shape: [end - start, this.columns], data })
  }

  row(index: number): Float32Array {
    return this.read(index, index + 1)
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
  }
}

/** All values of a small tensor (a norm's weights). */
export function readVector(tensor: StoredTensor): Float32Array {
  const length = tensor.shape.reduce((product, size) => product * size, 1)
  using matrix = new WeightMatrix({ ...tensor, shape: [1, length] })
  return matrix.row(0)
}
