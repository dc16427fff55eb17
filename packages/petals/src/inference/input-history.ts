import { dtypeSize, type FloatDtype } from '../tensor/dtype.ts'
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../tensor/half.ts'
import { bytesOf, floatTensor, tensorValues, type Tensor } from '../tensor/tensor.ts'
import { Authorship, type Author } from './authorship.ts'
import type { HiddenTensor } from './step-outputs.ts'

/** Consecutive inputs of one type. */
interface Segment {
  readonly dtype: FloatDtype
  readonly start: number
  tokens: number
  /** Grows by doubling; the values fill its beginning. */
  buffer: Uint8Array
}

/**
 * All inputs of a hop since position 0, in order: what a replacement must be sent. Values keep the type in which they
 * arrived, which is exact and takes half the memory on 16-bit swarms.
 */
export class InputHistory {
  /** The servers that computed the inputs; none for the inputs of the first block. */
  readonly authors = new Authorship()
  readonly #hiddenSize: number
  readonly #segments: Segment[] = []

  constructor(hiddenSize: number) {
    this.#hiddenSize = hiddenSize
  }

  /** Length in tokens. */
  get length(): number {
    const last = this.#segments.at(-1)
    return last ? last.start + last.tokens : 0
  }

  get byteLength(): number {
    return this.#segments.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)
  }

  append({ dtype, data }: HiddenTensor, author?: Author): void {
    if (data.byteLength === 0) return
    if (author !== undefined) this.authors.note(author, this.length)
    const last = this.#segments.at(-1)
    const segment = last?.dtype === dtype ? last : this.#begin(dtype)
    const used = segment.tokens * this.#tokenBytes(dtype)
    segment.buffer = withRoomFor(segment.buffer, used, data.byteLength)
    segment.buffer.set(data, used)
    segment.tokens += data.byteLength / this.#tokenBytes(dtype)
  }

  /** Forgets everything from `length` on. */
  truncate(length: number): void {
    this.authors.truncate(length)
    while (this.#segments.length > 0 && this.#segments.at(-1)!.start >= length) this.#segments.pop()
    const last = this.#segments.at(-1)
    if (last) last.tokens = Math.min(last.tokens, length - last.start)
  }

  /**
   * Returns the inputs of positions [start, end) in one type: the server's if it is narrower, because the server would round
   * to it anyway, or else their own.
   */
  slice(start: number, end: number, serverDtype: FloatDtype): HiddenTensor {
    const parts = this.#segments
      .filter((segment) => segment.start < end && segment.start + segment.tokens > start)
      .map((segment) => this.#partOf(segment, start, end))
    const shape = [1, end - start, this.#hiddenSize]
    const narrower = parts.filter(({ dtype }) => dtypeSize(dtype) <= dtypeSize(serverDtype))
    const [first] = parts
    const wire =
      first && narrower.length === parts.length && parts.every(({ dtype }) => dtype === first.dtype)
        ? first.dtype
        : serverDtype
    const converted = parts.map((part) => convert(part, wire).data)
    return { dtype: wire, shape, data: converted.length === 1 ? converted[0]! : Buffer.concat(converted) }
  }

  #begin(dtype: FloatDtype): Segment {
    const segment = { dtype, start: this.length, tokens: 0, buffer: new Uint8Array(0) }
    this.#segments.push(segment)
    return segment
  }

  #partOf({ dtype, start, tokens, buffer }: Segment, from: number, to: number): HiddenTensor {
    const first = Math.max(from - start, 0)
    const last = Math.min(to - start, tokens)
    const size = this.#tokenBytes(dtype)
    return {
      dtype,
      shape: [1, last - first, this.#hiddenSize],
      data: buffer.subarray(first * size, last * size),
    }
  }

  #tokenBytes(dtype: FloatDtype): number {
    return this.#hiddenSize * dtypeSize(dtype)
  }
}

function withRoomFor(buffer: Uint8Array, used: number, added: number): Uint8Array {
  if (used + added <= buffer.byteLength) return buffer
  const grown = new Uint8Array(Math.max(used + added, buffer.byteLength * 2))
  grown.set(buffer.subarray(0, used))
  return grown
}

function convert(tensor: HiddenTensor, dtype: FloatDtype): Tensor {
  return tensor.dtype === dtype ? tensor : floatTensor(tensorValues(tensor), tensor.shape, dtype)
}

/** Returns the values in the narrowest type that holds them exactly: embeddings of 16-bit checkpoints are 16-bit numbers. */
export function compactTensor(values: Float32Array, shape: readonly number[]): HiddenTensor {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  if (bits.every((value) => (value & 0xffff) === 0))
    return { dtype: 'bfloat16', shape, data: bytesOf(toBfloat16(values)) }
  const halves = toFloat16(values)
  const isExact = fromFloat16(halves).every((value, i) => value === values[i])
  return isExact
    ? { dtype: 'float16', shape, data: bytesOf(halves) }
    : { dtype: 'float32', shape, data: bytesOf(values) }
}

/** Returns a copy of the values as float32, for every type of tensor. */
export function copyValues({ dtype, data }: HiddenTensor): Float32Array {
  const bytes = new Uint8Array(data)
  if (dtype === 'float32') return new Float32Array(bytes.buffer)
  const halves = new Uint16Array(bytes.buffer)
  return dtype === 'float16' ? fromFloat16(halves) : fromBfloat16(halves)
}
