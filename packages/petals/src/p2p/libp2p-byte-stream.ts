import type { ConnectionLimits, Stream } from '@libp2p/interface'
import type { AbortOptions } from '@petals-chat/engine'
import { Uint8ArrayList } from 'uint8arraylist'
import { ConnectionLostError } from '../errors.ts'
import { BackPressure } from './back-pressure.ts'
import type { PeerId } from './peer-id.ts'
import type { ByteStream } from './swarm-transport.ts'
import { UnreadChunks } from './unread-chunks.ts'

/**
 * Bytes that are buffered without a reader before back-pressure stops the peer. A pending read takes its bytes as they
 * arrive, whatever its size: libp2p's own byteStream would reset the stream at 4 MiB, and an answer to a prefill is larger.
 */
const usualHighWaterBytes = 1024 * 1024

/** How long a closed stream waits for the peer to close its side, too. */
const lingerMs = 5000

/** p2pd's relays allow 128 KiB and two minutes until other peers have found them to be public, then 4 GiB and half an hour. */
const relayLimit = ': the relay that leads there allows no more bytes or time on one connection'

/** A read that waits for more bytes. */
interface PendingRead {
  readonly target: Uint8Array
  filled: number
  readonly settle: (error?: unknown) => void
}

export interface ByteStreamOptions {
  /** What the relay allows, if the connection goes through one. */
  readonly limits?: ConnectionLimits | undefined
  /** Default: 1 MiB. */
  readonly highWaterBytes?: number | undefined
}

/** A ByteStream on a libp2p stream. */
export class Libp2pByteStream implements ByteStream {
  readonly #stream: Stream
  readonly #peer: PeerId
  readonly #limits: ConnectionLimits | undefined
  readonly #highWaterBytes: number
  readonly #backPressure: BackPressure
  readonly #unread = new UnreadChunks()
  #pending: PendingRead | undefined
  /** No more bytes will come. */
  #ended = false
  /** The peer closed its side normally. It has not if the whole connection ended, for instance because its process was killed. */
  #closedByPeer = false
  /** The reason given to `abort`, which reads reject with unchanged. */
  #abortReason: Error | undefined
  /** The error that closed the stream. */
  #error: unknown

  constructor(
    stream: Stream,
    peer: PeerId,
    { limits, highWaterBytes = usualHighWaterBytes }: ByteStreamOptions = {},
  ) {
    this.#stream = stream
    this.#peer = peer
    this.#limits = limits
    this.#highWaterBytes = highWaterBytes
    this.#backPressure = new BackPressure(stream)
    stream.addEventListener('message', ({ data }) => this.#receive(data))
    stream.addEventListener('remoteCloseWrite', () => (this.#closedByPeer = true))
    // libp2p emits the end before the bytes that came in the same frame, which it delivers in the same turn.
    stream.addEventListener('end', () => queueMicrotask(() => this.#finish()))
    stream.addEventListener('close', ({ error }) => queueMicrotask(() => this.#finish(error)))
    this.#closedByPeer = stream.status === 'open' && stream.remoteWriteStatus === 'closed'
    if (stream.readableEnded || stream.status !== 'open') queueMicrotask(() => this.#finish())
  }

  async read(byteLength: number, { signal }: AbortOptions = {}): Promise<Uint8Array> {
    signal?.throwIfAborted()
    if (this.#pending) throw new Error('This stream has a pending read.')
    const view = this.#unread.takeView(byteLength)
    if (view) return this.#consumed(view)
    const target = new Uint8Array(byteLength)
    const filled = this.#unread.drainInto(target)
    this.#consumed(target)
    if (filled < byteLength) await this.#waitFor(target, filled, signal)
    return target
  }

  /** Bytes that have arrived and are not read yet. */
  get unreadBytes(): number {
    return this.#unread.byteLength + this.#stream.readBufferLength
  }

  async write(bytes: Uint8Array | readonly Uint8Array[], { signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    try {
      this.#stream.send(bytes instanceof Uint8Array ? bytes : new Uint8ArrayList(...bytes))
    } catch (error) {
      throw this.#lost('could not be written to', error)
    }
    if (this.#stream.writeBufferLength > 0) await this.#untilWritten(signal)
  }

  abort(reason: Error): void {
    this.#abortReason ??= reason
    this.#finish()
    this.#stream.abort(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#stream.close({ signal: AbortSignal.timeout(lingerMs) })
    } catch (error) {
      this.#stream.abort(error instanceof Error ? error : new Error('The stream could not be closed.'))
      return
    }
    if (this.#stream.status === 'closed') return
    const linger = setTimeout(
      () => this.#stream.abort(new Error('The peer left the stream half open.')),
      lingerMs,
    )
    linger.unref()
    this.#stream.addEventListener('close', () => clearTimeout(linger))
  }

  #receive(data: Uint8Array | Uint8ArrayList): void {
    for (const chunk of data instanceof Uint8Array ? [data] : data) {
      // A chunk may be a Buffer, whose slice() does not copy.
      this.#append(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    }
    if (this.#unread.byteLength > this.#highWaterBytes) this.#backPressure.set(true)
  }

  #append(chunk: Uint8Array): void {
    const rest = this.#pending ? this.#fillPending(this.#pending, chunk) : chunk
    this.#unread.append(rest)
  }

  /** Copies what the pending read needs. Returns the rest of the chunk. */
  #fillPending(pending: PendingRead, chunk: Uint8Array): Uint8Array {
    const wanted = chunk.subarray(0, pending.target.byteLength - pending.filled)
    pending.target.set(wanted, pending.filled)
    pending.filled += wanted.byteLength
    if (pending.filled === pending.target.byteLength) pending.settle()
    return chunk.subarray(wanted.byteLength)
  }

  #consumed<T>(taken: T): T {
    if (this.#unread.byteLength <= this.#highWaterBytes / 4) this.#backPressure.set(false)
    return taken
  }

  async #waitFor(target: Uint8Array, filled: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = (): void => this.#pending?.settle(signal?.reason)
    const settle = (error?: unknown): void => {
      this.#pending = undefined
      signal?.removeEventListener('abort', onAbort)
      if (error === undefined) resolve()
      else reject(error as Error)
    }
    this.#pending = { target, filled, settle }
    signal?.addEventListener('abort', onAbort)
    this.#backPressure.set(false) // a paused stream delivers at once what it buffered
    if (this.#ended) this.#pending?.settle(this.#endError(this.#pending.filled))
    await promise
  }

  #finish(error?: unknown): void {
    this.#ended = true
    this.#error ??= error
    if (this.#stream.readBufferLength === 0 || this.#abortReason)
      this.#pending?.settle(this.#endError(this.#pending.filled))
  }

  #endError(received: number): Error {
    if (this.#abortReason) return this.#abortReason
    if (this.#closedByPeer && this.#error === undefined)
      return this.#lost('was ended by the peer', undefined, received === 0)
    return this.#lost('was cut off', this.#error)
  }

  #isUsedUp(): boolean {
    const { bytes = 1, seconds = 1 } = this.#limits ?? {}
    return bytes <= 0 || seconds <= 0
  }

  #lost(what: string, cause?: unknown, clean = false): Error {
    if (this.#abortReason) return this.#abortReason
    const why = !clean && this.#isUsedUp() ? relayLimit : ''
    const message = `The stream ${this.#stream.protocol} with peer ${this.#peer} ${what}${why}.`
    return new ConnectionLostError(message, { peer: this.#peer, cause, clean })
  }

  /** Waits until libp2p has handed all bytes to the connection, at the pace that the peer allows. */
  async #untilWritten(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onIdle = (): void => resolve()
    const onClose = ({ error }: { error?: Error }): void =>
      reject(this.#lost('broke while it was written to', error))
    const onAbort = (): void => reject(signal?.reason as Error)
    this.#stream.addEventListener('idle', onIdle)
    this.#stream.addEventListener('close', onClose)
    signal?.addEventListener('abort', onAbort)
    try {
      await promise
    } finally {
      this.#stream.removeEventListener('idle', onIdle)
      this.#stream.removeEventListener('close', onClose)
      signal?.removeEventListener('abort', onAbort)
    }
  }
}
