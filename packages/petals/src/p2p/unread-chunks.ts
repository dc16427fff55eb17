/** Chunks shorter than this are copied into blocks of this length. */
const blockBytes = 4096

/**
 * Bytes that have arrived and are not read yet. Small chunks are put together: a view of each would be an object, and would keep
 * the whole frame of the connection in memory that it came with.
 */
export class UnreadChunks {
  readonly #chunks: Uint8Array[] = []
  #byteLength = 0
  /** The end of the last chunk, if that is a part of a block, and what is left of the block. */
  #room: Uint8Array = new Uint8Array(0)

  get byteLength(): number {
    return this.#byteLength
  }

  append(chunk: Uint8Array): void {
    if (chunk.byteLength === 0) return
    this.#byteLength += chunk.byteLength
    if (chunk.byteLength < blockBytes) return this.#appendSmall(chunk)
    this.#room = this.#room.subarray(0, 0)
    const isMostOfItsMemory = chunk.byteLength * 2 >= chunk.buffer.byteLength
    this.#chunks.push(isMostOfItsMemory ? chunk : Uint8Array.from(chunk))
  }

  /** Returns the next bytes as a view, if one chunk has them all. */
  takeView(byteLength: number): Uint8Array | undefined {
    const first = this.#chunks[0]
    if (!first || first.byteLength < byteLength) return undefined
    if (first.byteLength === byteLength) this.#chunks.shift()
    else this.#chunks[0] = first.subarray(byteLength)
    this.#byteLength -= byteLength
    return first.subarray(0, byteLength)
  }

  /** Moves as many bytes as there are and fit, and returns their number. */
  drainInto(target: Uint8Array): number {
    let filled = 0
    while (filled < target.byteLength && this.#chunks[0]) {
      const length = Math.min(this.#chunks[0].byteLength, target.byteLength - filled)
      target.set(this.takeView(length)!, filled)
      filled += length
    }
    return filled
  }

  #appendSmall(chunk: Uint8Array): void {
    const last = this.#chunks.at(-1)
    const fits = chunk.byteLength <= this.#room.byteLength
    const room = fits ? this.#room : new Uint8Array(blockBytes)
    room.set(chunk)
    this.#room = room.subarray(chunk.byteLength)
    const continues = fits && last?.buffer === room.buffer
    if (continues) {
      const length = last.byteLength + chunk.byteLength
      this.#chunks[this.#chunks.length - 1] = new Uint8Array(room.buffer, last.byteOffset, length)
    } else this.#chunks.push(room.subarray(0, chunk.byteLength))
  }
}
