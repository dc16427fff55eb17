import { ByteReader, GgufFormatError } from './byte-reader.ts'
import { readValue, type GgufValue } from './gguf-value.ts'
import { tensorTypes, type TensorType } from './tensor-types.ts'

/** Everything in a GGUF file before the weights. */
export interface GgufHeader {
  readonly version: number
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tensors: readonly GgufTensor[]
  /** Where the weights begin, in bytes from the start of the file. */
  readonly dataOffset: number
}

export interface GgufTensor {
  readonly name: string
  /** Innermost first, as ggml writes it. */
  readonly shape: readonly number[]
  readonly type: TensorType
  /** From `dataOffset`, in bytes. */
  readonly offset: number
  readonly byteLength: number
}

const MAGIC = 0x46554747 // "GGUF"
/** ggml compares every key and every tensor name with all others, so their numbers are limited. Real files have about 50 keys. */
const MAX_KEYS = 4096
/** The largest mixtures of experts have about 30,000. */
const MAX_TENSORS = 65_536
const MAX_KEY_LENGTH = 65_535 // the GGUF specification
const MAX_TENSOR_NAME_LENGTH = 63 // ggml.h: GGML_MAX_NAME is 64 with the closing 0
const MAX_DIMENSIONS = 4 // ggml.h: GGML_MAX_DIMS
const DEFAULT_ALIGNMENT = 32

/**
 * Parses the header of a GGUF file of `fileSize` bytes that begins with `bytes`, and checks what llama.cpp does not check.
 * @throws GgufFormatError that names the field at fault, MoreBytesNeeded if the header is longer than `bytes`.
 */
export function parseGgufHeader(bytes: Uint8Array, fileSize: number): GgufHeader {
  const reader = new ByteReader(bytes, fileSize)
  const version = readVersion(reader)
  const tensorCount = readCount(reader, 'the number of tensors', MAX_TENSORS)
  const keyCount = readCount(reader, 'the number of metadata keys', MAX_KEYS)
  const metadata = readMetadata(reader, keyCount)
  const alignment = readAlignment(metadata)
  const infos = readTensorInfos(reader, tensorCount)
  const dataOffset = pad(reader.offset, alignment)
  checkPlacement(infos, { dataOffset, alignment, fileSize })
  return { version, metadata, tensors: infos, dataOffset }
}

function readVersion(reader: ByteReader): number {
  if (reader.uint32('the magic number') !== MAGIC) {
    throw new GgufFormatError('the magic number', 'is not "GGUF": this is not a GGUF file')
  }
  const version = reader.uint32('the version')
  if (version === 2 || version === 3) return version
  if ((version & 0xffff) === 0)
    throw new GgufFormatError('the version', 'is big-endian; this machine is little-endian')
  throw new GgufFormatError('the version', `is ${version}; 2 and 3 are supported`)
}

function readCount(reader: ByteReader, field: string, maximum: number): number {
  const count = reader.uint64(field)
  if (count > maximum) throw new GgufFormatError(field, `is ${count}; at most ${maximum} are allowed`)
  return count
}

function readMetadata(reader: ByteReader, count: number): ReadonlyMap<string, GgufValue> {
  const metadata = new Map<string, GgufValue>()
  for (let index = 0; index < count; index++) {
    const key = reader.string(`metadata key ${index}`, MAX_KEY_LENGTH)
    if (key === '') throw new GgufFormatError(`metadata key ${index}`, 'is empty')
    if (metadata.has(key)) throw new GgufFormatError(key, 'appears twice')
    metadata.set(key, readValue(reader, key))
  }
  return metadata
}

function readAlignment(metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT
  const isPowerOfTwo =
    typeof alignment === 'number' && alignment > 0 && Number.isInteger(Math.log2(alignment))
  if (!isPowerOfTwo) throw new GgufFormatError('general.alignment', 'is not a power of two')
  return alignment
}

function readTensorInfos(reader: ByteReader, count: number): GgufTensor[] {
  const names = new Set<string>()
  const tensors: GgufTensor[] = []
  for (let index = 0; index < count; index++) {
    const name = reader.string(`the name of tensor ${index}`, MAX_TENSOR_NAME_LENGTH)
    const field = `tensor '${name}'`
    if (names.has(name)) throw new GgufFormatError(field, 'appears twice')
    names.add(name)
    const shape = readShape(reader, field)
    const type = readTensorType(reader, field)
    const offset = reader.uint64(`the offset of ${field}`)
    tensors.push({ name, shape, type, offset, byteLength: byteLength(shape, type, field) })
  }
  return tensors
}

function readShape(reader: ByteReader, field: string): number[] {
  const dimensions = reader.uint32(`the number of dimensions of ${field}`)
  if (dimensions > MAX_DIMENSIONS)
    throw new GgufFormatError(field, `has ${dimensions} dimensions; at most 4 are allowed`)
  return Array.from({ length: dimensions }, (_, axis) => {
    const size = reader.uint64(`dimension ${axis} of ${field}`)
    if (size === 0) throw new GgufFormatError(field, `has no elements along dimension ${axis}`)
    return size
  })
}

function readTensorType(reader: ByteReader, field: string): TensorType {
  const number = reader.uint32(`the type of ${field}`)
  const type = tensorTypes.get(number)
  if (type === undefined) throw new GgufFormatError(field, `has an unknown type (${number})`)
  return type
}

function byteLength(shape: readonly number[], type: TensorType, field: string): number {
  const row = shape[0] ?? 1
  if (row % type.blockLength !== 0) {
    throw new GgufFormatError(
      field,
      `has rows of ${row} elements, which is not a multiple of the ${type.blockLength} of ${type.name}`,
    )
  }
  const elements = shape.reduce((product, size) => product * size, 1)
  const bytes = (elements / type.blockLength) * type.blockBytes
  if (!Number.isSafeInteger(elements) || !Number.isSafeInteger(bytes)) {
    throw new GgufFormatError(field, `has impossibly many elements (${shape.join(' x ')})`)
  }
  return bytes
}

/** ggml requires each tensor to follow the one before it, aligned (gguf.cpp). */
function checkPlacement(
  tensors: readonly GgufTensor[],
  file: { readonly dataOffset: number; readonly alignment: number; readonly fileSize: number },
): void {
  let expected = 0
  for (const { name, offset, byteLength } of tensors) {
    const field = `tensor '${name}'`
    if (offset !== expected) throw new GgufFormatError(field, `is at offset ${offset} instead of ${expected}`)
    const end = file.dataOffset + offset + byteLength
    if (end > file.fileSize) {
      throw new GgufFormatError(
        field,
        `ends beyond the end of the file (byte ${end} of ${file.fileSize}): the file is incomplete`,
      )
    }
    expected = offset + pad(byteLength, file.alignment)
  }
}

const pad = (length: number, alignment: number): number => Math.ceil(length / alignment) * alignment
