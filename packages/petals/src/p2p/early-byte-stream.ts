import { abortable, type AbortOptions } from '@petals-chat/engine'
import { PeerUnreachableError, ProtocolError } from '../errors.ts'
import { protocolHeader, readNegotiationAnswer } from './early-negotiation.ts'
import type { PeerId } from './peer-id.ts'
import type { ByteStream } from './swarm-transport.ts'

/**
 * Bytes that are sent before the peer has agreed to the protocol, at most. They are kept until then, and they and the header
 * fit into the window of 256 KiB that every stream of yamux begins with.
 */
export const maxEarlyBytes = 255 * 1024

/** How a stream began whose peer has not agreed to the protocol yet. */
export interface EarlyStreamOptions {
  readonly peer: PeerId
  readonly protocol: string
  /** Returns a signal that ends the wait for the peer's answer. Called when the header is sent. */
  readonly answerTimeout: () => AbortSignal
  /** Opens the stream again, and returns it when the peer has agreed. @throws SwarmError */
  readonly reopen: (signal: AbortSignal) => Promise<ByteStream>
}

/**
 * A stream that sends the header of its protocol together with the first bytes, instead of waiting a round trip for the peer
 * to agree. If the peer does not answer in time, or the stream ends before it answered, it is opened again once, and the
 * bytes are sent again. A peer's refusal reaches the caller by reads, and by writes after it.
 */
export class EarlyByteStream implements ByteStream {
  readonly #options: EarlyStreamOptions
  readonly #over = new AbortController()
  readonly #agreement = Promise.withResolvers<void>()
  #stream: ByteStream
  #kept: Uint8Array[] = []
  #keptBytes = 0
  /** Writes that wait for the agreement, because too many bytes are kept already. */
  #waiting = 0
  #phase: 'unsent' | 'sent' | 'reopening' | 'agreed' | 'failed' = 'unsent'
  readonly #flush: NodeJS.Immediate

  constructor(stream: ByteStream, options: EarlyStreamOptions) {
    this.#stream = stream
    this.#options = options
    this.#agreement.promise.catch(() => {}) // reported to every read and write
    // All that the opener does at once comes before this: its first write takes the header along.
    this.#flush = setImmediate(() => void this.#sendEarly([]).catch(() => {}))
  }

  async read(byteLength: number, options?: AbortOptions): Promise<Uint8Array> {
    if (this.#phase !== 'agreed') await this.#agreed(options?.signal)
    return await this.#stream.read(byteLength, options)
  }

  async write(bytes: Uint8Array | readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    if (this.#phase === 'agreed' && this.#waiting === 0) return await this.#stream.write(bytes, options)
    const chunks = bytes instanceof Uint8Array ? [bytes] : bytes
    const byteLength = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    if (this.#waiting > 0 || this.#keptBytes + byteLength > maxEarlyBytes)
      return await this.#writeLater(chunks, options)
    this.#keep(chunks)
    await this.#sendEarly(chunks, options)
  }

  abort(reason: Error): void {
    clearImmediate(this.#flush)
    this.#fail(reason)
    this.#stream.abort(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#phase === 'unsent') await this.#sendEarly([])
    await this.#agreement.promise.catch(() => {})
    await this.#stream[Symbol.asyncDispose]()
  }

  /** Copies: what was written may change as soon as the write has resolved. */
  #keep(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) {
      this.#kept.push(Uint8Array.from(chunk))
      this.#keptBytes += chunk.byteLength
    }
  }

  /** Writes after the agreement, in the order of the calls. */
  async #writeLater(chunks: readonly Uint8Array[], options: AbortOptions): Promise<void> {
    if (this.#phase === 'unsent') void this.#sendEarly([]).catch(() => {}) // reported by the agreement
    this.#waiting++
    const writing = this.#agreement.promise
      .finally(() => this.#waiting--)
      .then(async () => {
        options.signal?.throwIfAborted()
        await this.#stream.write(chunks, options)
      })
    await abortable(writing, options.signal)
  }

  /** Sends bytes that were kept. On a stream that breaks they are sent when it has been opened again. */
  async #sendEarly(chunks: readonly Uint8Array[], options?: AbortOptions): Promise<void> {
    if (this.#phase !== 'unsent' && this.#phase !== 'sent') return await this.#agreed(options?.signal)
    const isFirst = this.#phase === 'unsent'
    const stream = this.#stream
    const header = isFirst ? [protocolHeader(this.#options.protocol)] : []
    this.#phase = 'sent'
    const sending = stream.write([...header, ...chunks], options)
    if (isFirst) void this.#agree()
    try {
      await sending
    } catch (error) {
      options?.signal?.throwIfAborted()
      await this.#agreed(options?.signal)
      if (this.#stream === stream) throw error
    }
  }

  async #agree(): Promise<void> {
    clearImmediate(this.#flush)
    const { peer, protocol, answerTimeout } = this.#options
    try {
      const signal = AbortSignal.any([this.#over.signal, answerTimeout()])
      const answer = await readNegotiationAnswer(this.#stream, protocol, signal).catch(() => 'none' as const)
      if (this.#phase === 'failed') return
      if (answer === 'none') await this.#reopen()
      else if (answer === 'refused') throw unsupportedProtocol(peer, protocol)
      else if (answer === 'invalid')
        throw new ProtocolError(`Peer ${peer} does not answer as a server of ${protocol}.`, { peer })
      this.#settle()
    } catch (error) {
      this.#fail(error as Error)
      this.#stream.abort(error as Error)
    }
  }

  async #reopen(): Promise<void> {
    this.#phase = 'reopening'
    // On a line that transports bytes in this direction only, it ends what the peer began to do for the first attempt.
    this.#stream.abort(new Error('The stream is opened again.'))
    const stream = await this.#options.reopen(this.#over.signal)
    if (this.#over.signal.aborted) return stream.abort(this.#over.signal.reason as Error)
    this.#stream = stream
    const kept = this.#kept
    this.#settle()
    // Not awaited: what is written from now on follows these bytes.
    if (kept.length > 0) stream.write(kept).catch(() => {}) // reads and further writes report it
  }

  #settle(): void {
    if (this.#phase === 'agreed' || this.#phase === 'failed') return
    this.#phase = 'agreed'
    this.#kept = []
    this.#agreement.resolve()
  }

  #fail(reason: Error): void {
    if (this.#phase !== 'agreed') this.#phase = 'failed'
    this.#kept = []
    this.#agreement.reject(reason)
    this.#over.abort(reason)
  }

  async #agreed(signal: AbortSignal | undefined): Promise<void> {
    await abortable(this.#agreement.promise, signal)
  }
}

/** Returns the error of a peer that does not serve the protocol. */
export function unsupportedProtocol(peer: PeerId, protocol: string, cause?: unknown): PeerUnreachableError {
  const message = `Peer ${peer} does not support ${protocol}.`
  return new PeerUnreachableError(message, { peer, cause, unsupportedProtocol: protocol })
}
