/** Requests to transformer blocks, and their responses (`hivemind/proto/runtime.proto`). */
import { ProtobufReader, ProtobufWriter, pushBounded } from './protobuf.ts'

/** `Tensor` of runtime.proto. It has the fields of `EncodedTensor` in tensor/. */
export interface TensorMessage {
  readonly buffer: Uint8Array
  readonly size: readonly number[]
  readonly dtype: string
  readonly compression: number
  readonly chunks: number
}

export interface ExpertRequest {
  /** Block uids joined by a space; empty in the request that ends a session. */
  readonly uid: string
  readonly tensors: readonly TensorMessage[]
  /** msgpack of a map. */
  readonly metadata: Uint8Array
}

export interface ExpertResponse {
  readonly tensors: readonly TensorMessage[]
  readonly metadata: Uint8Array
}

/** More dimensions, and more tensors in one message, than any method uses. */
const maxDimensions = 16
const maxTensors = 64

const none = new Uint8Array(0)

function writeTensor(tensor: TensorMessage): ProtobufWriter {
  return new ProtobufWriter()
    .bytes(1, tensor.buffer)
    .packedUint32(2, tensor.size)
    .string(4, tensor.dtype)
    .uint32(5, tensor.compression)
    .uint32(6, tensor.chunks)
}

export const encodeTensorMessage = (tensor: TensorMessage): Uint8Array => writeTensor(tensor).finish()

export function decodeTensorMessage(bytes: Uint8Array): TensorMessage {
  const reader = new ProtobufReader(bytes)
  const size: number[] = []
  const tensor = { buffer: none, size, dtype: '', compression: 0, chunks: 0 }
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        tensor.buffer = reader.bytes() as Uint8Array<ArrayBuffer>
        break
      case 2:
        reader.repeatedUint32(size, maxDimensions)
        break
      case 4:
        tensor.dtype = reader.string()
        break
      case 5:
        tensor.compression = reader.uint32()
        break
      case 6:
        tensor.chunks = reader.uint32()
        break
      default:
        reader.skip()
    }
  }
  return tensor
}

export function encodeExpertRequest(request: ExpertRequest): Uint8Array {
  const writer = new ProtobufWriter().string(1, request.uid)
  for (const tensor of request.tensors) writer.message(2, writeTensor(tensor))
  return writer.bytes(3, request.metadata).finish()
}

export function encodeExpertResponse(response: ExpertResponse): Uint8Array {
  const writer = new ProtobufWriter()
  for (const tensor of response.tensors) writer.message(2, writeTensor(tensor))
  return writer.bytes(3, response.metadata).finish()
}

/** A request differs from a response only in its uid. */
export function decodeExpertRequest(bytes: Uint8Array): ExpertRequest {
  const reader = new ProtobufReader(bytes)
  const tensors: TensorMessage[] = []
  let uid = ''
  let metadata: Uint8Array = none
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        uid = reader.string()
        break
      case 2:
        pushBounded(tensors, decodeTensorMessage(reader.bytes()), maxTensors)
        break
      case 3:
        metadata = reader.bytes()
        break
      default:
        reader.skip()
    }
  }
  return { uid, tensors, metadata }
}

export function decodeExpertResponse(bytes: Uint8Array): ExpertResponse {
  const { tensors, metadata } = decodeExpertRequest(bytes)
  return { tensors, metadata }
}

export const encodeExpertUid = (uid: string): Uint8Array => new ProtobufWriter().string(1, uid).finish()

export const decodeExpertUid = (bytes: Uint8Array): string => decodeExpertRequest(bytes).uid

export const encodeExpertInfo = (serializedInfo: Uint8Array): Uint8Array =>
  new ProtobufWriter().bytes(1, serializedInfo).finish()

/** Returns the msgpack in the answer to `rpc_info`. */
export function decodeExpertInfo(bytes: Uint8Array): Uint8Array {
  const reader = new ProtobufReader(bytes)
  let serializedInfo: Uint8Array = none
  while (reader.next()) {
    if (reader.field === 1) serializedInfo = reader.bytes()
    else reader.skip()
  }
  return serializedInfo
}
