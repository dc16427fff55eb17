import { ProtocolError } from '../../errors.ts'
import { isDtype, isFloatDtype, parseDtype, type Dtype, type FloatDtype } from '../dtype.ts'
import { elementCount, type Tensor } from '../tensor.ts'

/** A tensor as it crosses the wire (`hivemind/proto/runtime.proto`, Tensor). Nothing in it is to be trusted. */
export interface EncodedTensor {
  readonly buffer: Uint8Array
  readonly size: readonly number[]
  /** Type of the restored values, by its plain name. */
  readonly dtype: string
  readonly compression: number
  /** Number of parts it was split into; readers ignore it. */
  readonly chunks: number
}

/** One way to put the values of a tensor into bytes and back (`hivemind/compression`). Pure. */
export interface TensorCodec {
  readonly compression: number
  /** @throws TypeError if the codec does not take tensors of this type. */
  encode(tensor: Tensor): EncodedTensor
  /** @throws ProtocolError if sizes, type and buffer don't fit together. */
  decode(encoded: EncodedTensor): Tensor
}

/** Shape and type of an encoded tensor, checked. */
export interface TensorHeader<D extends Dtype = Dtype> {
  readonly shape: readonly number[]
  readonly count: number
  readonly dtype: D
}

export function readHeader(encoded: EncodedTensor): TensorHeader {
  return { shape: [...encoded.size], count: elementCount(encoded.size), dtype: parseDtype(encoded.dtype) }
}

/** For compressions that only make sense for numbers with fractions. */
export function readFloatHeader(encoded: EncodedTensor): TensorHeader<FloatDtype> {
  const { dtype, ...header } = readHeader(encoded)
  if (!isFloatDtype(dtype))
    throw new ProtocolError(`Compression ${encoded.compression} does not carry ${dtype}.`)
  return { ...header, dtype }
}

/** hivemind's 16-bit compressions refuse bfloat16 and integers; so do we, on both sides. */
export function readIeeeHeader(encoded: EncodedTensor): TensorHeader<'float32' | 'float16'> {
  const { dtype, ...header } = readHeader(encoded)
  if (!isIeee(dtype)) throw new ProtocolError(`Compression ${encoded.compression} does not carry ${dtype}.`)
  return { ...header, dtype }
}

export const isIeee = (dtype: Dtype): dtype is 'float32' | 'float16' =>
  dtype === 'float32' || dtype === 'float16'

export function expectBytes(encoded: EncodedTensor, expected: number): void {
  if (encoded.buffer.byteLength === expected) return
  const name = isDtype(encoded.dtype) ? encoded.dtype : 'unknown'
  throw new ProtocolError(
    `A ${name} tensor of shape [${encoded.size.join(', ')}] with compression ${encoded.compression} ` +
      `takes ${expected} bytes, ${encoded.buffer.byteLength} came.`,
  )
}

export const encodedTensor = (tensor: Tensor, compression: number, buffer: Uint8Array): EncodedTensor => ({
  buffer,
  size: tensor.shape,
  dtype: tensor.dtype,
  compression,
  chunks: 0,
})
