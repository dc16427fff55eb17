import { GgufFormatError, type ByteReader } from './byte-reader.ts'

export type GgufValue = number | boolean | string | GgufArray

type NumericType = Exclude<ElementType, 'string'>
export type ElementType =
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'int32'
  | 'float32'
  | 'bool'
  | 'string'
  | 'uint64'
  | 'int64'
  | 'float64'

const ARRAY = 9

/** gguf.h: enum gguf_type */
const elementTypes: ReadonlyMap<number, ElementType> = new Map([
  [0, 'uint8'],
  [1, 'int8'],
  [2, 'uint16'],
  [3, 'int16'],
  [4, 'uint32'],
  [5, 'int32'],
  [6, 'float32'],
  [7, 'bool'],
  [8, 'string'],
  [10, 'uint64'],
  [11, 'int64'],
  [12, 'float64'],
])

const sizes: Readonly<Record<NumericType, number>> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  bool: 1,
  uint64: 8,
  int64: 8,
  float64: 8,
}

/** The longest strings of real files are chat templates, of about 20 KB. */
const MAX_STRING_LENGTH = 16 * 1024 * 1024
/** The longest arrays of real files are merges, up to 600,000. Decoded, an array of bytes takes eight times its length. */
const MAX_ARRAY_LENGTH = 2 ** 22

/** An array of the metadata. Its elements are decoded on demand, because vocabularies are long and seldom needed. */
export interface GgufArray {
  readonly type: ElementType
  readonly length: number
  /** @throws GgufFormatError if the elements are not strings. */
  strings(): readonly string[]
  /** @throws GgufFormatError if the elements are not numbers. */
  numbers(): readonly number[]
}

/** Reads a value of the metadata, with its type before it. @throws GgufFormatError, MoreBytesNeeded */
export function readValue(reader: ByteReader, key: string): GgufValue {
  const type = reader.uint32(`the type of ${key}`)
  if (type === ARRAY) return readArray(reader, key)
  return readElement(reader, elementType(type, key), key)
}

function elementType(number: number, key: string): ElementType {
  const type = elementTypes.get(number)
  if (type === undefined) throw new GgufFormatError(key, `has an unknown type (${number})`)
  return type
}

function readElement(reader: ByteReader, type: ElementType, key: string): number | boolean | string {
  if (type === 'string') return reader.string(key, MAX_STRING_LENGTH)
  const value = decodeNumber(reader.bytes, type, reader.take(sizes[type], key))
  return type === 'bool' ? value !== 0 : value
}

function readArray(reader: ByteReader, key: string): GgufArray {
  const type = elementType(reader.uint32(`the element type of ${key}`), key)
  const length = reader.uint64(`the length of ${key}`)
  if (length > MAX_ARRAY_LENGTH)
    throw new GgufFormatError(key, `has ${length} elements; at most ${MAX_ARRAY_LENGTH} are allowed`)
  const { bytes } = reader
  if (type === 'string') {
    const spans = skipStrings(reader, length, key)
    let strings: readonly string[] | undefined
    return {
      type,
      length,
      strings: () => (strings ??= decodeStrings(bytes, spans)),
      numbers: wrongType(key, 'text, not numbers'),
    }
  }
  const start = reader.take(length * sizes[type], key)
  const numbers = () =>
    Array.from({ length }, (_, index) => decodeNumber(bytes, type, start + index * sizes[type]))
  return { type, length, numbers, strings: wrongType(key, 'numbers, not text') }
}

/** Returns the start and end of each string; an 8-byte length precedes each one. */
function skipStrings(reader: ByteReader, count: number, key: string): Float64Array {
  // Each string takes at least 8 bytes: a count that is too large for the file fails here, before any allocation.
  const start = reader.offset
  reader.take(count * 8, key)
  reader.rewind(start)
  const spans = new Float64Array(count * 2)
  for (let index = 0; index < count; index++) {
    const length = reader.uint64(`the length of ${key}[${index}]`)
    spans[index * 2] = reader.take(length, `${key}[${index}]`)
    spans[index * 2 + 1] = reader.offset
  }
  return spans
}

function decodeStrings(bytes: Buffer, spans: Float64Array): string[] {
  const strings = new Array<string>(spans.length / 2)
  for (let index = 0; index < strings.length; index++) {
    strings[index] = bytes.toString('utf8', spans[index * 2], spans[index * 2 + 1])
  }
  return strings
}

function decodeNumber(bytes: Buffer, type: NumericType, offset: number): number {
  switch (type) {
    case 'uint8':
    case 'bool':
      return bytes.readUInt8(offset)
    case 'int8':
      return bytes.readInt8(offset)
    case 'uint16':
      return bytes.readUInt16LE(offset)
    case 'int16':
      return bytes.readInt16LE(offset)
    case 'uint32':
      return bytes.readUInt32LE(offset)
    case 'int32':
      return bytes.readInt32LE(offset)
    case 'float32':
      return bytes.readFloatLE(offset)
    case 'uint64':
      return Number(bytes.readBigUInt64LE(offset))
    case 'int64':
      return Number(bytes.readBigInt64LE(offset))
    case 'float64':
      return bytes.readDoubleLE(offset)
  }
}

const wrongType = (key: string, what: string) => () => {
  throw new GgufFormatError(key, `holds ${what}`)
}
