import type { Socket } from 'node:net'

/** Reads a socket by exact numbers of bytes, or chunk by chunk. */
export class SocketReader {
  #chunks: Uint8Array[] = []
  #buffered = 0
  #ended = false
  #wake = Promise.withResolvers<void>()

  constructor(socket: Socket) {
    socket.on('data', (chunk: Uint8Array) => {
      this.#chunks.push(chunk)
      this.#buffered += chunk.byteLength
      this.#notify()
    })
    for (const event of ['end', 'close', 'error'] as const) {
      socket.on(event, () => {
        this.#ended = true
        this.#notify()
      })
    }
  }

  /** @throws Error if the socket ends first */
  async read(byteLength: number): Promise<Uint8Array> {
    while (this.#buffered < byteLength) {
      if (this.#ended) throw new Error('The socket ended.')
      await this.#wake.promise
    }
    const all = Buffer.concat(this.#chunks)
    this.#chunks = [all.subarray(byteLength)]
    this.#buffered -= byteLength
    return all.subarray(0, byteLength)
  }

  /** Returns all that has arrived; undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#buffered === 0) {
      if (this.#ended) return undefined
      await this.#wake.promise
    }
    return await this.read(this.#buffered)
  }

  #notify(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }
}
