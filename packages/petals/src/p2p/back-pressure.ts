import type { Stream } from '@libp2p/interface'

/** A stream of yamux: its peer may send what its window allows. */
interface WindowedStream {
  sendWindowUpdate: () => void
}

/**
 * Stops the peer of a stream, and lets it go on. A stream of yamux goes on to deliver what its peer may still send, but opens
 * its window no further: a paused one keeps each frame as an object of its own, and a peer can send a window in frames of a byte.
 * Other streams are paused.
 */
export class BackPressure {
  readonly #stream: Stream
  readonly #windowed: WindowedStream | undefined
  #isOn = false

  constructor(stream: Stream) {
    this.#stream = stream
    if ('sendWindowUpdate' in stream) this.#windowed = stream as Stream & WindowedStream
  }

  set(isOn: boolean): void {
    if (isOn === this.#isOn || this.#stream.readStatus === 'closed' || this.#stream.readStatus === 'closing')
      return
    this.#isOn = isOn
    if (!this.#windowed) return isOn ? this.#stream.pause() : this.#stream.resume()
    const { sendWindowUpdate } = Object.getPrototypeOf(this.#windowed) as WindowedStream
    this.#windowed.sendWindowUpdate = isOn ? () => {} : sendWindowUpdate
    if (!isOn) this.#windowed.sendWindowUpdate()
  }
}
