import { ProtocolError } from '../errors.ts'

/** Element types that cross the wire, by hivemind's plain names. */
export type Dtype = 'float32' | 'float16' | 'bfloat16' | 'int64'

export type FloatDtype = Exclude<Dtype, 'int64'>

const bytesPerElement: Readonly<Record<Dtype, number>> = { float32: 4, float16: 2, bfloat16: 2, int64: 8 }

/** Bytes of one element in `Tensor.data`. */
export const dtypeSize = (dtype: Dtype): number => bytesPerElement[dtype]

export const isDtype = (name: string): name is Dtype => Object.hasOwn(bytesPerElement, name)

export const isFloatDtype = (dtype: Dtype): dtype is FloatDtype => dtype !== 'int64'

/** Parses the name of a type from the wire. @throws ProtocolError if models don't use this type */
export function parseDtype(name: string): Dtype {
  if (isDtype(name)) return name
  throw new ProtocolError(`Unknown tensor type '${name.slice(0, 40)}'.`)
}
