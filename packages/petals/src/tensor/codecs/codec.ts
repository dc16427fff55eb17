import { ProtocolError } from '../../errors.ts'
import { isDtype, isFloatDtype, parseDtype, type Dtype, type FloatDtype } from '../dtype.ts'
import { elementCount, type Tensor } from '../tensor.ts'

/** A tensor on the wire (`Tensor` of `hivemind/proto/runtime.proto`). All of it is untrusted input. */
export interface EncodedTensor {
  readonly buffer: Uint8Array
  readonly size: readonly number[]
  /** Type of the decoded values, by its plain name. */
  readonly dtype: string
  readonly compression: number
  /** Number of parts that the tensor was split into; readers ignore it. */
  readonly chunks: number
}

/** An encoding of the values of a tensor (`hivemind/compression`). */
export interface TensorCodec {
  readonly compression: number
  /** @throws TypeError if the codec does not take tensors of this type. */
  encode(tensor: Tensor): EncodedTensor
  /** @throws ProtocolError if size, type and buffer don't agree. */
  decode(encoded: EncodedTensor): Tensor
}

/** The checked shape and type of an encoded tensor. */
export interface TensorHeader<D extends Dtype = Dtype> {
  readonly shape: readonly number[]
  readonly count: number
  readonly dtype: D
}

export function readHeader(encoded: EncodedTensor): TensorHeader {
  return { shape: [...encoded.size], count: elementCount(encoded.size), dtype: parseDtype(encoded.dtype) }
}

/** Reads the header of a compression that only takes floating-point values. */
export function readFloatHeader(encoded: EncodedTensor): TensorHeader<FloatDtype> {
  const { dtype, ...header } = readHeader(encoded)
  if (!isFloatDtype(dtype))
    throw new ProtocolError(`Compression ${encoded.compression} does not support ${dtype}.`)
  return { ...header, dtype }
}

/** Reads the header of a 16-bit compression: like hivemind's, these refuse bfloat16 and integers. */
export function readIeeeHeader(encoded: EncodedTensor): TensorHeader<'float32' | 'float16'> {
  const { dtype, ...header } = readHeader(encoded)
  if (!isIeee(dtype)) throw new ProtocolError(`Compression ${encoded.compression} does not support ${dtype}.`)
  return { ...header, dtype }
}

export const isIeee = (dtype: Dtype): dtype is 'float32' | 'float16' =>
  dtype === 'float32' || dtype === 'float16'

export function expectBytes(encoded: EncodedTensor, expected: number): void {
  if (encoded.buffer.byteLength === expected) return
  const name = isDtype(encoded.dtype) ? encoded.dtype : 'unknown'
  throw new ProtocolError(
    `A ${name} tensor of shape [${encoded.size.join(', ')}] with compression ${encoded.compression} ` +
      `has ${encoded.buffer.byteLength} bytes instead of ${expected}.`,
  )
}

export const encodedTensor = (tensor: Tensor, compression: number, buffer: Uint8Array): EncodedTensor => ({
  buffer,
  size: tensor.shape,
  dtype: tensor.dtype,
  compression,
  chunks: 0,
})
