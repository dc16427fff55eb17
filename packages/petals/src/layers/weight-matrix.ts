import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { ModelUnavailableError } from '@petals-chat/engine'
import { dtypeSize, type FloatDtype } from '../tensor/dtype.ts'
import { tensorValues } from '../tensor/tensor.ts'
import { dot } from './dot.ts'

/** The place of a tensor's bytes on this machine. Its values are in C order, little-endian. */
export interface StoredTensor {
  readonly path: string
  /** Offset of its first byte in the file. */
  readonly offset: number
  readonly dtype: FloatDtype
  readonly shape: readonly number[]
}

/**
 * A matrix that stays in its file; rows are read when they are needed. The operating system's page cache keeps those that
 * are used often, so that a vocabulary of a gigabyte takes no memory of this process.
 */
export class WeightMatrix implements Disposable {
  readonly rows: number
  readonly columns: number
  readonly #tensor: StoredTensor
  readonly #rowBytes: number
  readonly #file: number
  /** Buffer for one row, so that reading thousands of rows a second allocates no memory. */
  readonly #row: RowBuffer
  #closed = false

  /** @throws ModelUnavailableError if the file ends before the tensor does. */
  constructor(tensor: StoredTensor) {
    const [rows, columns] = tensor.shape
    if (tensor.shape.length !== 2 || rows === undefined || columns === undefined) {
      throw new RangeError(`A matrix has two dimensions, not [${tensor.shape.join(', ')}].`)
    }
    this.rows = rows
    this.columns = columns
    this.#tensor = tensor
    this.#rowBytes = columns * dtypeSize(tensor.dtype)
    this.#row = createRowBuffer(tensor.dtype, columns)
    this.#file = openSync(tensor.path, 'r')
    if (fstatSync(this.#file).size < tensor.offset + rows * this.#rowBytes) {
      closeSync(this.#file)
      throw endsEarly(tensor.path)
    }
  }

  /** Returns the rows [start, end) as float32, exactly for every stored type: (end - start) × columns values. */
  read(start: number, end: number): Float32Array {
    const data = new Uint8Array((end - start) * this.#rowBytes)
    this.#readBytes(start, end, data)
    return tensorValues({ dtype: this.#tensor.dtype, shape: [end - start, this.columns], data })
  }

  row(index: number): Float32Array {
    return this.read(index, index + 1)
  }

  /** Returns the product of a row and a vector, summed in float64, where every product of two float32 values is exact. */
  dot(index: number, vector: Float32Array): number {
    this.#readBytes(index, index + 1, this.#row.bytes)
    return dot(this.#row.values(), vector)
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#file)
  }

  #readBytes(start: number, end: number, target: Uint8Array): void {
    if (!(start >= 0 && start <= end && end <= this.rows)) {
      throw new RangeError(`Rows ${start}…${end} are outside of 0…${this.rows}.`)
    }
    const position = this.#tensor.offset + start * this.#rowBytes
    for (let done = 0; done < target.length;) {
      const count = readSync(this.#file, target, done, target.length - done, position + done)
      if (count === 0) throw endsEarly(this.#tensor.path)
      done += count
    }
  }
}

/** Memory for the bytes of one row, and for its values as float32, which the next call overwrites. */
interface RowBuffer {
  readonly bytes: Uint8Array
  readonly values: () => Float32Array
}

function createRowBuffer(dtype: FloatDtype, columns: number): RowBuffer {
  const bytes = new Uint8Array(columns * dtypeSize(dtype))
  switch (dtype) {
    case 'float32': {
      const values = new Float32Array(bytes.buffer)
      return { bytes, values: () => values }
    }
    case 'bfloat16': {
      const halves = new Uint16Array(bytes.buffer)
      const bits = new Uint32Array(columns)
      const values = new Float32Array(bits.buffer)
      return { bytes, values: () => (widenBfloat16(halves, bits), values) }
    }
    case 'float16':
      return { bytes, values: () => tensorValues({ dtype, shape: [columns], data: bytes }) }
  }
}

/** bfloat16 is the upper half of float32. */
function widenBfloat16(halves: Uint16Array, bits: Uint32Array): void {
  for (let i = 0; i < bits.length; i++) bits[i] = halves[i]! << 16
}

const endsEarly = (path: string): ModelUnavailableError =>
  new ModelUnavailableError(`${path} ends in the middle of a tensor. Download the file again.`)

/** Reads all values of a small tensor (a norm's weights). */
export function readVector(tensor: StoredTensor): Float32Array {
  const length = tensor.shape.reduce((product, size) => product * size, 1)
  using matrix = new WeightMatrix({ ...tensor, shape: [1, length] })
  return matrix.row(0)
}
