import { ProtocolError } from '../errors.ts'
import { appendVarint } from './varint.ts'

/** The wire types of protobuf in use. Groups (3, 4) are refused. */
const varint = 0
const fixed64 = 1
const lengthDelimited = 2
const fixed32 = 5

/**
 * Writes one message, with its fields in the order of the calls. As in proto3, zero values are left out, except by methods
 * whose names begin with `required`. Bytes are not copied before `finish`.
 */
export class ProtobufWriter {
  readonly #parts: Uint8Array[] = []
  #byteLength = 0

  get byteLength(): number {
    return this.#byteLength
  }

  uint32(field: number, value: number): this {
    if (value === 0) return this
    return this.#push(varintBytes(field * 8 + varint, value >>> 0))
  }

  bool(field: number, value: boolean): this {
    return this.uint32(field, value ? 1 : 0)
  }

  double(field: number, value: number): this {
    return Object.is(value, 0)
      ? this
      : this.#push(varintBytes(field * 8 + fixed64)).#push(doubleBytes([value]))
  }

  bytes(field: number, value: Uint8Array): this {
    return value.byteLength === 0 ? this : this.requiredBytes(field, value)
  }

  string(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value))
  }

  requiredBytes(field: number, value: Uint8Array): this {
    return this.#push(varintBytes(field * 8 + lengthDelimited, value.byteLength)).#push(value)
  }

  requiredString(field: number, value: string): this {
    return this.requiredBytes(field, Buffer.from(value))
  }

  repeatedBytes(field: number, values: readonly Uint8Array[]): this {
    for (const value of values) this.requiredBytes(field, value)
    return this
  }

  /** Writes one packed field with all values, or nothing if there are none. */
  packedUint32(field: number, values: readonly number[]): this {
    return this.bytes(field, Buffer.concat(values.map((value) => varintBytes(value))))
  }

  packedDouble(field: number, values: readonly number[]): this {
    return this.bytes(field, doubleBytes(values))
  }

  /** Writes a nested message, even if it is empty: its presence has a meaning. */
  message(field: number, nested: ProtobufWriter): this {
    this.#push(varintBytes(field * 8 + lengthDelimited, nested.byteLength))
    for (const part of nested.#parts) this.#push(part)
    return this
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts, this.#byteLength)
  }

  #push(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    this.#byteLength += bytes.byteLength
    return this
  }
}

function varintBytes(...values: readonly number[]): Uint8Array {
  const bytes: number[] = []
  for (const value of values) appendVarint(bytes, value)
  return Uint8Array.from(bytes)
}

function doubleBytes(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 8)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => view.setFloat64(i * 8, value, true))
  return bytes
}

/**
 * Reads one message: `while (reader.next()) switch (reader.field) { … default: reader.skip() }`. Every length is checked
 * against the remaining bytes. Byte strings are views of the input, not copies. Why this is written by hand:
 * docs/decisions/2026-11-28-hand-written-codecs.md.
 */
export class ProtobufReader {
  /** Number of the current field. */
  field = 0
  #wireType = 0
  #position = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  next(): boolean {
    if (this.#position >= this.#bytes.byteLength) return false
    const tag = this.#varint()
    this.field = tag >>> 3
    this.#wireType = tag & 7
    if (this.field === 0) throw new ProtocolError('A protobuf message has a field of number 0.')
    return true
  }

  /** Returns the lower 32 bits of the value, as protobuf does with a longer one. */
  uint32(): number {
    this.#expect(varint)
    return this.#varint()
  }

  bool(): boolean {
    return this.uint32() !== 0
  }

  double(): number {
    this.#expect(fixed64)
    return dataView(this.#take(8)).getFloat64(0, true)
  }

  bytes(): Uint8Array {
    this.#expect(lengthDelimited)
    return this.#take(this.#varint())
  }

  string(): string {
    const bytes = this.bytes()
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  }

  /** Adds the element, or the packed elements, of the current field to `values`. */
  repeatedUint32(values: number[], maximum: number): void {
    if (this.#wireType === varint) {
      pushBounded(values, this.#varint(), maximum)
      return
    }
    const packed = new ProtobufReader(this.bytes())
    while (packed.#position < packed.#bytes.byteLength) pushBounded(values, packed.#varint(), maximum)
  }

  repeatedDouble(values: number[], maximum: number): void {
    if (this.#wireType === fixed64) {
      pushBounded(values, this.double(), maximum)
      return
    }
    const packed = this.bytes()
    if (packed.byteLength % 8 !== 0)
      throw new ProtocolError('A packed field of doubles ends within a double.')
    const view = dataView(packed)
    for (let offset = 0; offset < packed.byteLength; offset += 8) {
      pushBounded(values, view.getFloat64(offset, true), maximum)
    }
  }

  skip(): void {
    if (this.#wireType === varint) this.#varint()
    else if (this.#wireType === fixed64) this.#take(8)
    else if (this.#wireType === lengthDelimited) this.#take(this.#varint())
    else if (this.#wireType === fixed32) this.#take(4)
    else throw new ProtocolError(`Protobuf wire type ${this.#wireType} is not supported.`)
  }

  #expect(wireType: number): void {
    if (this.#wireType === wireType) return
    throw new ProtocolError(
      `Protobuf field ${this.field} has wire type ${this.#wireType} instead of ${wireType}.`,
    )
  }

  #take(byteLength: number): Uint8Array {
    const end = this.#position + byteLength
    if (end > this.#bytes.byteLength) throw new ProtocolError('A protobuf message ends within a field.')
    const bytes = this.#bytes.subarray(this.#position, end)
    this.#position = end
    return bytes
  }

  #varint(): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#position++]
      if (byte === undefined) throw new ProtocolError('A protobuf message ends within a number.')
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw new ProtocolError('A protobuf number has more than ten bytes.')
  }
}

const dataView = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Appends an element of a repeated field. Even empty elements take memory: their number is limited. */
export function pushBounded<T>(values: T[], value: T, maximum: number): void {
  if (values.length >= maximum)
    throw new ProtocolError(`A protobuf message repeats a field more than ${maximum} times.`)
  values.push(value)
}
