import { Buffer } from 'node:buffer'

/** The bytes violate the format. `field` names what was being read; the message begins with it. */
export class GgufFormatError extends Error {
  override readonly name = 'GgufFormatError'
  readonly field: string

  constructor(field: string, problem: string) {
    super(`${field} ${problem}`)
    this.field = field
  }
}

/** The header is longer than the bytes that were read; at least `length` bytes are needed. */
export class MoreBytesNeeded extends Error {
  override readonly name = 'MoreBytesNeeded'
  readonly length: number

  constructor(length: number) {
    super(`${length} bytes are needed`)
    this.length = length
  }
}

/** Reads little-endian values from the first bytes of a file, never beyond its end, whatever lengths the file claims. */
export class ByteReader {
  readonly #bytes: Buffer
  readonly #fileSize: number
  #offset = 0

  /** `bytes` are the first bytes of a file of `fileSize` bytes. */
  constructor(bytes: Uint8Array, fileSize: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#fileSize = fileSize
  }

  get offset(): number {
    return this.#offset
  }

  get bytes(): Buffer {
    return this.#bytes
  }

  /** Skips `length` bytes and returns the offset at which they begin. */
  take(length: number, field: string): number {
    const start = this.#offset
    const end = start + length
    if (end > this.#fileSize) {
      throw new GgufFormatError(field, `ends beyond the end of the file (byte ${end} of ${this.#fileSize})`)
    }
    if (end > this.#bytes.length) throw new MoreBytesNeeded(end)
    this.#offset = end
    return start
  }

  /** Returns to an offset that has been read before. */
  rewind(offset: number): void {
    this.#offset = Math.min(offset, this.#offset)
  }

  uint32(field: string): number {
    return this.#bytes.readUInt32LE(this.take(4, field))
  }

  /** Reads a count, length or offset. Values beyond 2^53 do not occur in real files, and arithmetic would not be exact. */
  uint64(field: string): number {
    const value = this.#bytes.readBigUInt64LE(this.take(8, field))
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new GgufFormatError(field, `is impossibly large (${value})`)
    return Number(value)
  }

  string(field: string, maxLength: number): string {
    const length = this.uint64(`the length of ${field}`)
    if (length > maxLength) {
      throw new GgufFormatError(field, `is ${length} bytes long; at most ${maxLength} are allowed`)
    }
    const start = this.take(length, field)
    return this.#bytes.toString('utf8', start, start + length)
  }
}
