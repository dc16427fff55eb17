import { ProtocolError } from '../errors.ts'
import { DhtDictionary, extensions, type DhtDictionaryEntry, type MsgpackValue } from './msgpack-values.ts'

/** Real values are at most five levels deep (a tensor descriptor in rpc_info). */
const maxDepth = 16

/** Arrays, maps and extensions in one value. Four million empty maps of one byte each would take a gigabyte of memory. */
const maxContainers = 2 ** 16

/**
 * Decodes one value of untrusted input. The depth and the number of containers are limited, announced lengths are checked
 * against the remaining bytes, and a map becomes a Map, which has no prototype to pollute. Why this is written by hand:
 * docs/decisions/2026-11-28-hand-written-codecs.md.
 * @throws ProtocolError for anything but exactly one value
 */
export function decodeMsgpack(bytes: Uint8Array): MsgpackValue {
  return new Decoder(bytes, { depth: 0, containers: 0 }).whole()
}

/**
 * Decodes a DHT dictionary entry by entry: a flooded one has ten thousands, and would take many times its length in memory.
 * @throws ProtocolError for anything but exactly one dictionary, after the entries before the fault
 */
export function forEachEntry(bytes: Uint8Array, visit: (entry: DhtDictionaryEntry) => void): void {
  new Decoder(bytes, { depth: 0, containers: 0 }).dictionary(visit)
}

/** What a value and the values within it have used so far. */
interface Budget {
  depth: number
  containers: number
}

class Decoder {
  readonly #bytes: Uint8Array
  /** The same bytes, for text: views are large, and flooded records have many short texts. */
  readonly #buffer: Buffer
  readonly #view: DataView
  #position = 0
  readonly #budget: Budget

  constructor(bytes: Uint8Array, budget: Budget) {
    this.#bytes = bytes
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#budget = budget
  }

  whole(): MsgpackValue {
    const value = this.#value()
    if (this.#position !== this.#bytes.byteLength) throw new ProtocolError('Bytes follow a msgpack value.')
    return value
  }

  dictionary(visit: (entry: DhtDictionaryEntry) => void): void {
    const header = this.#bytes[this.#advance(1)]!
    const length = header >= 0xc7 && header <= 0xc9 ? this.#unsigned(1 << (header - 0xc7)) : 0
    if (length === 0 || this.#view.getInt8(this.#advance(1)) !== extensions.dictionary)
      throw new ProtocolError('A value is not a DHT dictionary.')
    const end = this.#position + length
    if (end !== this.#bytes.byteLength) throw new ProtocolError('Bytes follow a msgpack value.')
    if (this.#arrayLength() < 3) throw new ProtocolError('A DHT dictionary has no entries.')
    for (let i = 0; i < 2; i++) this.#value() // the greatest size, and the latest expiration time
    const entries = this.#arrayLength()
    for (let i = 0; i < entries; i++) visit(readEntry(this.#value()))
  }

  #arrayLength(): number {
    const type = this.#bytes[this.#advance(1)]!
    if (type >= 0x90 && type <= 0x9f) return type & 0x0f
    if (type === 0xdc || type === 0xdd) return this.#unsigned(2 << (type - 0xdc))
    throw new ProtocolError('A DHT dictionary has no entries.')
  }

  #value(): MsgpackValue {
    const type = this.#bytes[this.#advance(1)]!
    if (type <= 0x7f) return type
    if (type <= 0x8f) return this.#map(type & 0x0f)
    if (type <= 0x9f) return this.#array(type & 0x0f)
    if (type <= 0xbf) return this.#string(type & 0x1f)
    if (type >= 0xe0) return type - 0x100
    return this.#typed(type)
  }

  #typed(type: number): MsgpackValue {
    switch (type) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#unsigned(1 << (type - 0xc4)))
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#unsigned(1 << (type - 0xc7)))
      case 0xca:
        return this.#view.getFloat32(this.#advance(4))
      case 0xcb:
        return this.#view.getFloat64(this.#advance(8))
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#unsigned(1 << (type - 0xcc))
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.#signed(1 << (type - 0xd0))
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (type - 0xd4))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#unsigned(1 << (type - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(2 << (type - 0xdc)))
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(2 << (type - 0xde)))
      default:
        throw new ProtocolError(`msgpack type 0x${type.toString(16)} is not supported.`)
    }
  }

  #string(byteLength: number): string {
    const start = this.#advance(byteLength)
    return this.#buffer.toString('utf8', start, start + byteLength)
  }

  #array(length: number): MsgpackValue[] {
    this.#enter(length)
    const items: MsgpackValue[] = []
    for (let i = 0; i < length; i++) items.push(this.#value())
    this.#budget.depth--
    return items
  }

  #map(length: number): Map<MsgpackValue, MsgpackValue> {
    this.#enter(length * 2)
    const map = new Map<MsgpackValue, MsgpackValue>()
    for (let i = 0; i < length; i++) {
      const key = this.#value()
      map.set(key, this.#value())
    }
    this.#budget.depth--
    return map
  }

  #extension(byteLength: number): MsgpackValue {
    const type = this.#view.getInt8(this.#advance(1))
    this.#enter(0)
    const value = new Decoder(this.#take(byteLength), this.#budget).whole()
    this.#budget.depth--
    if (type === extensions.tuple && Array.isArray(value)) return value
    if (type === extensions.dictionary) return readDictionary(value)
    if (type === extensions.tensorDescriptor && value instanceof Map) return value
    throw new ProtocolError(`msgpack extension ${type} is not supported.`)
  }

  /** Every element takes at least one byte: there can't be more elements than remaining bytes. */
  #enter(elements: number): void {
    if (++this.#budget.depth > maxDepth)
      throw new ProtocolError(`A msgpack value is nested deeper than ${maxDepth}.`)
    if (++this.#budget.containers > maxContainers) {
      throw new ProtocolError(`A msgpack value has more than ${maxContainers} arrays and maps.`)
    }
    if (elements > this.#bytes.byteLength - this.#position) throw tooShort()
  }

  #unsigned(byteLength: number): number {
    const at = this.#advance(byteLength)
    if (byteLength === 1) return this.#view.getUint8(at)
    if (byteLength === 2) return this.#view.getUint16(at)
    return byteLength === 4 ? this.#view.getUint32(at) : Number(this.#view.getBigUint64(at))
  }

  #signed(byteLength: number): number {
    const at = this.#advance(byteLength)
    if (byteLength === 1) return this.#view.getInt8(at)
    if (byteLength === 2) return this.#view.getInt16(at)
    return byteLength === 4 ? this.#view.getInt32(at) : Number(this.#view.getBigInt64(at))
  }

  #take(byteLength: number): Uint8Array {
    const start = this.#advance(byteLength)
    return this.#bytes.subarray(start, start + byteLength)
  }

  #advance(byteLength: number): number {
    const start = this.#position
    if (byteLength > this.#bytes.byteLength - start) throw tooShort()
    this.#position += byteLength
    return start
  }
}

const tooShort = (): ProtocolError => new ProtocolError('A msgpack value is shorter than it announces.')

/** Reads `[maxsize, latest_expiration_time, [[subkey, value, expiration_time], …]]` */
function readDictionary(value: MsgpackValue): DhtDictionary {
  const entries = Array.isArray(value) ? (value as readonly MsgpackValue[])[2] : undefined
  if (!Array.isArray(entries)) throw new ProtocolError('A DHT dictionary has no entries.')
  return new DhtDictionary(entries.map(readEntry))
}

function readEntry(entry: MsgpackValue): DhtDictionaryEntry {
  const [subkey, value, expirationTime] = Array.isArray(entry) ? (entry as readonly MsgpackValue[]) : []
  if (subkey === undefined || !(value instanceof Uint8Array) || typeof expirationTime !== 'number') {
    throw new ProtocolError('An entry of a DHT dictionary is not [subkey, value, expiration time].')
  }
  return { subkey, value, expirationTime }
}
