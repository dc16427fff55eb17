import { ProtocolError } from '../errors.ts'
import { dtypeSize, type Dtype, type FloatDtype } from './dtype.ts'
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.ts'

/** Values in C order (last axis fastest), little-endian; bfloat16 takes 2 bytes. `data.length` = elements x dtypeSize. */
export interface Tensor {
  readonly dtype: Dtype
  /** A scalar has no entries; a zero among them means no elements. */
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** Room for 2^29 float32 values (2 GiB): more than any step of any model, little enough to multiply without care. */
const maxElements = 2 ** 29
const maxDimensions = 8

/** Product of the dimensions. @throws ProtocolError if they can't be those of a tensor: sizes come from the wire. */
export function elementCount(shape: readonly number[]): number {
  if (shape.length > maxDimensions)
    throw new ProtocolError(`A tensor of ${shape.length} dimensions is not accepted.`)
  let count = 1
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) throw new ProtocolError(`A tensor dimension can't be ${size}.`)
    count *= size
    if (count > maxElements) throw new ProtocolError(`A tensor of shape [${shape.join(', ')}] is too large.`)
  }
  return count
}

/** The same bytes at an address that a view of `alignment`-byte elements may start at; copied only if need be. */
const aligned = (bytes: Uint8Array, alignment: number): Uint8Array =>
  bytes.byteOffset % alignment === 0 ? bytes : new Uint8Array(bytes) // not slice(): that of a Buffer does not copy

/** The bytes as 16-bit values. Shares memory where the address allows. */
export function uint16View(bytes: Uint8Array): Uint16Array {
  const source = aligned(bytes, 2)
  return new Uint16Array(source.buffer, source.byteOffset, source.byteLength >>> 1)
}

/** The bytes as float32 values. Shares memory where the address allows. */
export function float32View(bytes: Uint8Array): Float32Array {
  const source = aligned(bytes, 4)
  return new Float32Array(source.buffer, source.byteOffset, source.byteLength >>> 2)
}

/** The memory of any typed array as bytes; shared, not copied. */
export const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** The values as float32; exact for every float type. May share memory with the tensor. */
export function tensorValues(tensor: Tensor): Float32Array {
  switch (tensor.dtype) {
    case 'float32':
      return float32View(tensor.data)
    case 'float16':
      return fromFloat16(uint16View(tensor.data))
    case 'bfloat16':
      return fromBfloat16(uint16View(tensor.data))
    case 'int64':
      throw new ProtocolError('A tensor of integers stands where one of numbers with fractions is needed.')
  }
}

/** A tensor of these values, rounded to `dtype`. Shares memory with `values` for float32. */
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

/** The tensor that Petals sends for "none": no elements, shape [0]. */
export const emptyTensor = (dtype: Dtype): Tensor => ({ dtype, shape: [0], data: new Uint8Array(0) })

/** Bytes that a tensor's values take. */
export const tensorByteLength = (tensor: Pick<Tensor, 'dtype' | 'shape'>): number =>
  elementCount(tensor.shape) * dtypeSize(tensor.dtype)
