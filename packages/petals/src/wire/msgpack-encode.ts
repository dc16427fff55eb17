import {
  DhtDictionary,
  extensions,
  Float,
  TensorDescriptor,
  Tuple,
  type MsgpackInput,
} from './msgpack-values.ts'

/** Encodes one value. Whole numbers become integers, others float64; wrap a number in Float if Python must see a float. */
export function encodeMsgpack(value: MsgpackInput): Uint8Array {
  const parts: Uint8Array[] = []
  encode(value, parts)
  return Buffer.concat(parts)
}

function encode(value: MsgpackInput, parts: Uint8Array[]): void {
  if (value === null) parts.push(Uint8Array.of(0xc0))
  else if (typeof value === 'boolean') parts.push(Uint8Array.of(value ? 0xc3 : 0xc2))
  else if (typeof value === 'number')
    parts.push(Number.isSafeInteger(value) ? integer(value) : float64(value))
  else if (value instanceof Float) parts.push(float64(value.value))
  else if (typeof value === 'string') encodeString(value, parts)
  else if (value instanceof Uint8Array) parts.push(head([0xc4, 0xc5, 0xc6], value.byteLength), value)
  else if (value instanceof Tuple) encodeExtension(extensions.tuple, value.items, parts)
  else if (value instanceof DhtDictionary)
    encodeExtension(extensions.dictionary, dictionaryPayload(value), parts)
  else if (value instanceof TensorDescriptor)
    encodeExtension(extensions.tensorDescriptor, value.fields, parts)
  else if (value instanceof Map) encodeMap(value, parts)
  else encodeArray(value as readonly MsgpackInput[], parts)
}

function encodeString(value: string, parts: Uint8Array[]): void {
  const bytes = Buffer.from(value)
  parts.push(
    bytes.length < 32 ? Uint8Array.of(0xa0 | bytes.length) : head([0xd9, 0xda, 0xdb], bytes.length),
    bytes,
  )
}

function encodeArray(items: readonly MsgpackInput[], parts: Uint8Array[]): void {
  parts.push(
    items.length < 16 ? Uint8Array.of(0x90 | items.length) : head([undefined, 0xdc, 0xdd], items.length),
  )
  for (const item of items) encode(item, parts)
}

function encodeMap(map: ReadonlyMap<MsgpackInput, MsgpackInput>, parts: Uint8Array[]): void {
  parts.push(map.size < 16 ? Uint8Array.of(0x80 | map.size) : head([undefined, 0xde, 0xdf], map.size))
  for (const [key, value] of map) {
    encode(key, parts)
    encode(value, parts)
  }
}

function encodeExtension(type: number, content: MsgpackInput, parts: Uint8Array[]): void {
  const payload = encodeMsgpack(content)
  const fixed = [1, 2, 4, 8, 16].indexOf(payload.byteLength)
  const header = fixed >= 0 ? Uint8Array.of(0xd4 + fixed) : head([0xc7, 0xc8, 0xc9], payload.byteLength)
  parts.push(header, Uint8Array.of(type), payload)
}

function dictionaryPayload({ entries }: DhtDictionary): readonly MsgpackInput[] {
  const latest = Math.max(-Infinity, ...entries.map(({ expirationTime }) => expirationTime))
  const rows = entries.map(({ subkey, value, expirationTime }) => [subkey, value, new Float(expirationTime)])
  return [new Float(Infinity), new Float(latest), rows]
}

/** Returns the type byte for a length of 8, 16 or 32 bits, and the length. */
function head(
  [byte, short, long]: readonly [number | undefined, number, number],
  length: number,
): Uint8Array {
  if (byte !== undefined && length < 0x100) return Uint8Array.of(byte, length)
  if (length < 0x10000) return Uint8Array.of(short, length >>> 8, length & 0xff)
  return Uint8Array.of(long, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
}

function float64(value: number): Uint8Array {
  const bytes = new Uint8Array(9)
  bytes[0] = 0xcb
  new DataView(bytes.buffer).setFloat64(1, value)
  return bytes
}

/** Encodes an integer in the shortest form, as Python's library does. */
function integer(value: number): Uint8Array {
  if (value >= 0) {
    if (value < 0x80) return Uint8Array.of(value)
    if (value < 0x1_0000_0000) return head([0xcc, 0xcd, 0xce], value)
    return int64(0xcf, value)
  }
  if (value >= -0x20) return Uint8Array.of(value & 0xff)
  if (value >= -0x80) return Uint8Array.of(0xd0, value & 0xff)
  if (value >= -0x8000) return Uint8Array.of(0xd1, (value >> 8) & 0xff, value & 0xff)
  if (value >= -0x8000_0000) return head32(0xd2, value)
  return int64(0xd3, value)
}

function head32(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(5)
  bytes[0] = type
  new DataView(bytes.buffer).setInt32(1, value)
  return bytes
}

function int64(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(9)
  bytes[0] = type
  new DataView(bytes.buffer).setBigInt64(1, BigInt(value))
  return bytes
}
