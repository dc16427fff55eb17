import type { AbortOptions } from '@petals-chat/engine'
import { ProtocolError, RpcError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { ByteStream } from '../p2p/swarm-transport.ts'
import { decodeRpcError } from '../wire/p2pd.ts'
import { withPeer } from './with-peer.ts'
import { decodeFrameHeader, encodeFrameHeader, endOfInput, frameHeaderBytes, markers } from './framing.ts'
import type { ReceiveOptions, RpcMethod, RpcStream } from './rpc-client.ts'

const defaultMaxBytes = 4 * 1024 * 1024

/** A streaming call on an open stream. */
export class StreamingCall<Request, Response> implements RpcStream<Request, Response> {
  readonly #bytes: ByteStream
  readonly #peer: PeerId
  readonly #method: RpcMethod<Request, Response>
  #over = false

  constructor(bytes: ByteStream, peer: PeerId, method: RpcMethod<Request, Response>) {
    this.#bytes = bytes
    this.#peer = peer
    this.#method = method
  }

  async send(request: Request, options?: AbortOptions): Promise<void> {
    const payload = this.#method.encodeRequest(request)
    const header = encodeFrameHeader({ marker: markers.message, length: payload.byteLength })
    await this.#bytes.write([header, payload], options)
  }

  async receive({ maxBytes = defaultMaxBytes, signal }: ReceiveOptions = {}): Promise<Response> {
    try {
      const header = await this.#bytes.read(frameHeaderBytes, { signal })
      const maximum = typeof maxBytes === 'function' ? maxBytes() : maxBytes
      const { marker, length } = withPeer(this.#peer, () => decodeFrameHeader(header, maximum))
      const payload = await this.#bytes.read(length, { signal })
      return withPeer(this.#peer, () => this.#decode(marker, payload))
    } catch (error) {
      // An error is the last frame of a call. After a violation of the protocol, further frames are not wanted.
      this.#over = true
      if (error instanceof ProtocolError) this.#bytes.abort(error)
      throw error
    }
  }

  async end(options?: AbortOptions): Promise<void> {
    await this.#bytes.write(endOfInput, options)
  }

  abort(reason: Error): void {
    this.#over = true
    this.#bytes.abort(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over) await this.#bytes[Symbol.asyncDispose]()
    else this.abort(new Error(`${this.#method.name} was cancelled.`))
  }

  #decode(marker: number, payload: Uint8Array): Response {
    if (marker === markers.message) return this.#method.decodeResponse(payload)
    throw new RpcError(this.#method.name, decodeRpcError(payload), { peer: this.#peer })
  }
}
