import type { Readable } from 'node:stream'

/** Reads frames of known lengths from a pipe: their bytes are copied once, to where they stay. */
export class FrameReader {
  /** What has arrived and was not asked for yet. */
  #early: Uint8Array[] = []
  #frame:
    { readonly bytes: Uint8Array; filled: number; readonly whole: (bytes: Uint8Array) => void } | undefined

  constructor(pipe: Readable) {
    pipe.on('data', (chunk: Buffer) => this.#take(chunk))
  }

  /** Returns the next frame. One call at a time; a call that is never answered is replaced by the next one. */
  read(length: number): Promise<Uint8Array> {
    return new Promise((whole) => {
      this.#frame = { bytes: new Uint8Array(length), filled: 0, whole }
      const early = this.#early
      this.#early = []
      for (const chunk of early) this.#take(chunk)
    })
  }

  #take(chunk: Uint8Array): void {
    const frame = this.#frame
    if (!frame) {
      this.#early.push(chunk)
      return
    }
    const part = chunk.subarray(0, frame.bytes.length - frame.filled)
    frame.bytes.set(part, frame.filled)
    frame.filled += part.length
    if (frame.filled < frame.bytes.length) return
    this.#frame = undefined
    frame.whole(frame.bytes)
    if (part.length < chunk.length) this.#early.push(chunk.subarray(part.length))
  }
}
