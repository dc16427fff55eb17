import type { AbortOptions } from '@petals-chat/engine'
import { ConnectionLostError } from '../errors.ts'
import type { ProtocolServer } from '../p2p/listening/listening-transport.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { ByteStream } from '../p2p/swarm-transport.ts'
import { encodeRpcError } from '../wire/p2pd.ts'
import { decodeFrameHeader, encodeFrameHeader, frameHeaderBytes, markers } from './framing.ts'
import type { InboundBudget } from './inbound-budget.ts'
import { isForCaller, textOfStreamError } from './remote-errors.ts'
import { within } from './within.ts'

/** One message of the caller. `release` gives its memory back; it must be called once the payload is not needed any more. */
export interface Received {
  readonly payload: Uint8Array
  release(): void
}

export interface NextOptions extends AbortOptions {
  /** How long to wait for the first byte of a message. Default: as long as the caller is there. */
  readonly startMs?: number | undefined
}

/** The server's side of a streaming call. */
export interface ServedCall {
  readonly remote: PeerId
  /**
   * Returns the next message; undefined after the end of input, and if none has begun within `startMs`. A caller that closes its
   * side without an end of input has cancelled. @throws ConnectionLostError, ProtocolError
   */
  next(options?: NextOptions): Promise<Received | undefined>
  /** @throws ConnectionLostError; the reason of a timeout if the caller does not read in time */
  respond(payload: Uint8Array | readonly Uint8Array[]): Promise<void>
}

export interface ServeStreamOptions {
  /** Longest valid message, bytes. */
  readonly maxMessageBytes: number
  /** Memory for messages. */
  readonly budget: Pick<InboundBudget, 'reserve' | 'announce'>
}

/** Memory for a message is taken for this much at first, and then for as much again as has arrived. */
const firstBytes = 16 * 1024
/** A message that stands still is given up after the time of one part, not of the whole message. */
const partBytes = 1024 * 1024

/** The slowest transfer: 1 Mbit/s, after a wait. */
const transferMs = (byteLength: number, waitMs: number): number => waitMs + Math.ceil(byteLength / 125)
const readWaitMs = 30_000
const writeWaitMs = 60_000

/**
 * Serves a streaming method (`hivemind/p2p/p2p_daemon.py`). An error of the handler becomes an error frame, and its return ends
 * the output.
 */
export async function serveStream(
  server: ProtocolServer,
  method: string,
  options: ServeStreamOptions,
  handler: (call: ServedCall) => Promise<void>,
): Promise<void> {
  await server.handle(method, async (bytes, remote, closed) => {
    const call = new StreamCall(bytes, remote, closed, options)
    try {
      await handler(call)
    } catch (error) {
      if (error instanceof ConnectionLostError) throw error // the caller has left
      if (!isForCaller(error)) server.report?.(error, method, remote)
      await call.fail(textOfStreamError(error))
    }
  })
}

class StreamCall implements ServedCall {
  readonly remote: PeerId
  readonly #bytes: ByteStream
  readonly #closed: AbortSignal
  readonly #options: ServeStreamOptions

  constructor(bytes: ByteStream, remote: PeerId, closed: AbortSignal, options: ServeStreamOptions) {
    this.#bytes = bytes
    this.remote = remote
    this.#closed = closed
    this.#options = options
  }

  async next({ signal, startMs }: NextOptions = {}): Promise<Received | undefined> {
    const header = await this.#header(startMs, signal)
    if (!header) return undefined
    const { marker, length } = decodeFrameHeader(header, this.#options.maxMessageBytes)
    if (marker !== markers.message) {
      await this.#bytes.read(length, { signal })
      return undefined
    }
    // A caller that leaves is noticed while its message waits for memory, too: then nothing is read.
    const ends = signal ? AbortSignal.any([signal, this.#closed]) : this.#closed
    const free = await this.#options.budget.announce(this.remote, length, ends)
    try {
      return await this.#payload(length, ends)
    } finally {
      free()
    }
  }

  async #header(
    startMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> {
    const read = (ends?: AbortSignal): Promise<Uint8Array> =>
      this.#bytes.read(frameHeaderBytes, { signal: ends })
    if (startMs === undefined) return await read(signal)
    const silence = new Error('No message has begun.')
    try {
      return await within(startMs, { signal, late: () => silence }, read)
    } catch (error) {
      if (error === silence) return undefined
      throw error
    }
  }

  /** A caller can announce any length: no more memory is taken than twice what has arrived. */
  async #payload(length: number, signal: AbortSignal): Promise<Received> {
    let payload = new Uint8Array(0)
    const releases: (() => void)[] = []
    const release = (): void => releases.splice(0).forEach((giveBack) => giveBack())
    try {
      for (let at = 0; at < length;) {
        if (at === payload.length) {
          const grown = Math.min(length, Math.max(firstBytes, 2 * at))
          releases.push(await this.#options.budget.reserve(this.remote, grown - at, signal))
          payload = enlarged(payload, grown)
        }
        const part = Math.min(partBytes, payload.length - at)
        payload.set(await this.#readPart(part, signal), at)
        at += part
      }
      return { payload, release }
    } catch (error) {
      release()
      throw error
    }
  }

  async #readPart(byteLength: number, ends: AbortSignal): Promise<Uint8Array> {
    const ms = transferMs(byteLength, readWaitMs)
    return await within(ms, { signal: ends }, (signal) => this.#bytes.read(byteLength, { signal }))
  }

  async respond(payload: Uint8Array | readonly Uint8Array[]): Promise<void> {
    const chunks = payload instanceof Uint8Array ? [payload] : payload
    await this.#write(markers.message, chunks)
  }

  async fail(message: string): Promise<void> {
    await this.#write(markers.endOrError, [encodeRpcError(message)])
  }

  async #write(marker: number, chunks: readonly Uint8Array[]): Promise<void> {
    const length = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    const bytes = [encodeFrameHeader({ marker, length }), ...chunks]
    await within(transferMs(length, writeWaitMs), {}, (signal) => this.#bytes.write(bytes, { signal }))
  }
}

function enlarged(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(length)
  result.set(bytes)
  return result
}
