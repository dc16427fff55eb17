/** Bytes in one piece or several. */
export interface ReadableBytes {
  readonly byteLength: number
  slice(start: number, end: number): Uint8Array
}

/** The header of a frame of yamux: version, type, flags (2 bytes), stream (4), length (4, big-endian). */
const HEADER_BYTES = 12
const DATA_FRAME = 0

/** Finds frames of yamux that are too long in the bytes of a connection, in whatever pieces these arrive. */
export class FrameBound {
  readonly #maxFrameBytes: number
  readonly #header = new Uint8Array(HEADER_BYTES)
  #headerLength = 0
  /** Bytes of the present frame's data that have not arrived. */
  #dataLeft = 0

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Reads the next bytes of the connection. Returns the length of a frame that is too long; what follows it is not read. */
  firstBeyond(bytes: ReadableBytes): number | undefined {
    let position = 0
    while (position < bytes.byteLength) {
      position += this.#skipData(bytes.byteLength - position)
      position += this.#readHeader(bytes, position)
      if (this.#headerLength < HEADER_BYTES) continue
      this.#headerLength = 0
      // Of other types the field is a number, and no data follows.
      if (this.#header[1] !== DATA_FRAME) continue
      this.#dataLeft = new DataView(this.#header.buffer).getUint32(8)
      if (this.#dataLeft > this.#maxFrameBytes) return this.#dataLeft
    }
    return undefined
  }

  #skipData(available: number): number {
    const skipped = Math.min(available, this.#dataLeft)
    this.#dataLeft -= skipped
    return skipped
  }

  #readHeader(bytes: ReadableBytes, position: number): number {
    const end = Math.min(bytes.byteLength, position + HEADER_BYTES - this.#headerLength)
    this.#header.set(bytes.slice(position, end), this.#headerLength)
    this.#headerLength += end - position
    return end - position
  }
}
