import { ProtocolError } from '../errors.ts'
import type { Dtype, FloatDtype } from './dtype.ts'
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.ts'

/** Values in C order (last axis fastest), little-endian. bfloat16 takes 2 bytes. `data.length` = elements × dtypeSize. */
export interface Tensor {
  readonly dtype: Dtype
  /** Empty for a scalar. A dimension of zero means that there are no elements. */
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** 2^29 float32 values (2 GiB) are more than any step of any model has, and few enough to multiply without overflow. */
const maxElements = 2 ** 29
const maxDimensions = 8

/** Returns the product of the dimensions, which may come from the wire. @throws ProtocolError if no tensor can have them */
export function elementCount(shape: readonly number[]): number {
  if (shape.length > maxDimensions)
    throw new ProtocolError(
      `A tensor has ${shape.length} dimensions; at most ${maxDimensions} are supported.`,
    )
  let count = 1
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) throw new ProtocolError(`A tensor dimension can't be ${size}.`)
    count *= size
    if (count > maxElements) throw new ProtocolError(`A tensor of shape [${shape.join(', ')}] is too large.`)
  }
  return count
}

/** Returns the bytes at an address where a view of `alignment`-byte elements can start. Copies them only if necessary. */
const aligned = (bytes: Uint8Array, alignment: number): Uint8Array =>
  bytes.byteOffset % alignment === 0 ? bytes : new Uint8Array(bytes) // the slice() of a Buffer does not copy

/** Returns the bytes as 16-bit values. Shares their memory if the address allows it. */
export function uint16View(bytes: Uint8Array): Uint16Array {
  const source = aligned(bytes, 2)
  return new Uint16Array(source.buffer, source.byteOffset, source.byteLength >>> 1)
}

/** Returns the bytes as float32 values. Shares their memory if the address allows it. */
export function float32View(bytes: Uint8Array): Float32Array {
  const source = aligned(bytes, 4)
  return new Float32Array(source.buffer, source.byteOffset, source.byteLength >>> 2)
}

/** Returns the memory of a typed array as bytes, without a copy. */
export const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** Returns the values as float32, exactly for every float type. They may share the tensor's memory. */
export function tensorValues(tensor: Tensor): Float32Array {
  switch (tensor.dtype) {
    case 'float32':
      return float32View(tensor.data)
    case 'float16':
      return fromFloat16(uint16View(tensor.data))
    case 'bfloat16':
      return fromBfloat16(uint16View(tensor.data))
    case 'int64':
      throw new ProtocolError('A tensor has integers where floating-point values are needed.')
  }
}

/** Returns a tensor of these values, rounded to `dtype`. A float32 tensor shares the memory of `values`. */
export function floatTensor(
  values: Float32Array,
  shape: readonly number[],
  dtype: FloatDtype = 'float32',
): Tensor {
  switch (dtype) {
    case 'float32':
      return { dtype, shape, data: bytesOf(values) }
    case 'float16':
      return { dtype, shape, data: bytesOf(toFloat16(values)) }
    case 'bfloat16':
      return { dtype, shape, data: bytesOf(toBfloat16(values)) }
  }
}

/** Returns the tensor that Petals sends for None (`DUMMY` in `petals/utils/misc.py`): no elements, shape [0]. */
export const emptyTensor = (dtype: Dtype): Tensor => ({ dtype, shape: [0], data: new Uint8Array(0) })
