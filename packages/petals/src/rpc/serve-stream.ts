import { ConnectionLostError } from '../errors.ts'
import type { ProtocolServer } from '../p2p/listening/listening-transport.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { ByteStream } from '../p2p/swarm-transport.ts'
import { encodeRpcError } from '../wire/p2pd.ts'
import { decodeFrameHeader, encodeFrameHeader, frameHeaderBytes, markers } from './framing.ts'
import type { Reserve } from './inbound-budget.ts'
import { isForCaller, textOfStreamError } from './remote-errors.ts'

/** One message of the caller. `release` gives its memory back; it must be called once the payload is not needed any more. */
export interface Received {
  readonly payload: Uint8Array
  release(): void
}

/** The server's side of a streaming call. */
export interface ServedCall {
  readonly remote: PeerId
  /**
   * Returns the next message, or undefined after the end of input. A caller that closes its side without an end of input has
   * cancelled. @throws ConnectionLostError, ProtocolError
   */
  next(signal?: AbortSignal): Promise<Received | undefined>
  /** @throws ConnectionLostError; the reason of a timeout if the caller does not read in time */
  respond(payload: Uint8Array | readonly Uint8Array[]): Promise<void>
}

export interface ServeStreamOptions {
  /** Longest valid message, bytes. */
  readonly maxMessageBytes: number
  /** Waits for memory for a message. */
  readonly reserve: Reserve
}

const partBytes = 1024 * 1024

/** The slowest transfer of a message: 60 s, and what its length takes at 1 Mbit/s. */
const transferMs = (byteLength: number): number => 60_000 + Math.ceil(byteLength / 125)

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
  await server.handle(method, async (bytes, remote) => {
    const call = new StreamCall(bytes, remote, options)
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
  readonly #options: ServeStreamOptions

  constructor(bytes: ByteStream, remote: PeerId, options: ServeStreamOptions) {
    this.#bytes = bytes
    this.remote = remote
    this.#options = options
  }

  async next(signal?: AbortSignal): Promise<Received | undefined> {
    const header = await this.#bytes.read(frameHeaderBytes, { signal })
    const { marker, length } = decodeFrameHeader(header, this.#options.maxMessageBytes)
    if (marker !== markers.message) {
      await this.#bytes.read(length, { signal })
      return undefined
    }
    const timeout = AbortSignal.timeout(transferMs(length))
    return await this.#payload(length, signal ? AbortSignal.any([signal, timeout]) : timeout)
  }

  /** Takes memory for a part before it reads that part: a caller can announce any length, and send nothing. */
  async #payload(length: number, signal: AbortSignal): Promise<Received> {
    const payload = new Uint8Array(length) // the system provides its pages when they are written
    const releases: (() => void)[] = []
    const release = (): void => releases.splice(0).forEach((giveBack) => giveBack())
    try {
      for (let at = 0; at < length; at += partBytes) {
        const part = Math.min(partBytes, length - at)
        releases.push(await this.#options.reserve(this.remote, part, signal))
        payload.set(await this.#bytes.read(part, { signal }), at)
      }
      return { payload, release }
    } catch (error) {
      release()
      throw error
    }
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
    const signal = AbortSignal.timeout(transferMs(length))
    await this.#bytes.write([encodeFrameHeader({ marker, length }), ...chunks], { signal })
  }
}
