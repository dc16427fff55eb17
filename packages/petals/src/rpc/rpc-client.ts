import type { AbortOptions } from '@petals-chat/engine'
import type { PeerId } from '../p2p/peer-id.ts'
import type { OpenStreamOptions } from '../p2p/swarm-transport.ts'

/** A remote method. Its protocol id is the bare name `ClassName.method` (`hivemind/p2p/servicer.py`). */
export interface RpcMethod<Request, Response> {
  readonly name: string
  encodeRequest(request: Request): Uint8Array
  /** @throws ProtocolError */
  decodeResponse(bytes: Uint8Array): Response
}

/** Calls methods of hivemind servers. Every call ends by its answer, its deadline, or its signal. */
export interface RpcClient {
  /** Returns the timeout, or a longer one where this client's line is slow: `SwarmTransport.patience`. */
  patience(timeoutMs: number): number
  /**
   * Sends one request and returns its answer. Both are limited to 4 MiB.
   * @throws RpcError, DeadlineExceededError, PeerUnreachableError, ConnectionLostError, ProtocolError
   * @throws RangeError if the request is too long
   */
  unary<Request, Response>(
    peer: PeerId,
    method: RpcMethod<Request, Response>,
    request: Request,
    options?: UnaryOptions,
  ): Promise<Response>
  /** Opens a streaming call. The caller disposes it. @throws PeerUnreachableError, ConnectionLostError */
  openStream<Request, Response>(
    peer: PeerId,
    method: RpcMethod<Request, Response>,
    options?: OpenRpcStreamOptions,
  ): Promise<RpcStream<Request, Response>>
}

export interface UnaryOptions extends AbortOptions {
  /** From the call to the answer, dialling included; default 10 s. A server that can't answer is silent: there is always a timeout. */
  readonly timeoutMs?: number | undefined
  /** As in {@link OpenStreamOptions}: from then on the answer takes one round trip. */
  readonly onOpen?: OpenStreamOptions['onOpen']
}

export interface OpenRpcStreamOptions extends AbortOptions {
  /** For opening the stream. Default: `connectTimeoutMs` of the configuration. */
  readonly timeoutMs?: number | undefined
}

export interface ReceiveOptions extends AbortOptions {
  /** Longest valid message in bytes, default 4 MiB. A function is called when a message begins to arrive. */
  readonly maxBytes?: number | (() => number) | undefined
}

/**
 * A streaming call. `send` and `receive` may run at the same time; only one `receive` at a time. The write side stays open
 * until the last answer has been read: servers take a half-closed stream for a cancelled one. Disposing resets a stream
 * that has not ended; the server then frees at once what it held for the call.
 */
export interface RpcStream<Request, Response> extends AsyncDisposable {
  /** Sends a request. @throws ConnectionLostError */
  send(request: Request, options?: AbortOptions): Promise<void>
  /** Returns the next answer. @throws RpcError, ConnectionLostError (`clean` at the normal end of output), ProtocolError */
  receive(options?: ReceiveOptions): Promise<Response>
  /** Tells the server that no more requests will come. */
  end(options?: AbortOptions): Promise<void>
  /** Cancels the call. A pending `receive` rejects with `reason`. */
  abort(reason: Error): void
}
