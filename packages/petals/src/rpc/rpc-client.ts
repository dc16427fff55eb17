import type { AbortOptions } from '@petals-chat/engine'
import type { PeerId } from '../p2p/peer-id.ts'

/** A remote method: its protocol id is the bare name `ClassName.method`. Encoding and decoding are pure. */
export interface RpcMethod<Request, Response> {
  readonly name: string
  encodeRequest(request: Request): Uint8Array
  /** @throws ProtocolError */
  decodeResponse(bytes: Uint8Array): Response
}

/** Calls methods of hivemind servers. Every call ends: by its answer, its deadline, or its signal. */
export interface RpcClient {
  /** @throws RpcError, DeadlineExceededError, PeerUnreachableError, ConnectionLostError, ProtocolError */
  unary<Request, Response>(
    peer: PeerId,
    method: RpcMethod<Request, Response>,
    request: Request,
    options?: UnaryOptions,
  ): Promise<Response>
  /** @throws PeerUnreachableError, ConnectionLostError */
  openStream<Request, Response>(
    peer: PeerId,
    method: RpcMethod<Request, Response>,
    options?: OpenRpcStreamOptions,
  ): Promise<RpcStream<Request, Response>>
}

export interface UnaryOptions extends AbortOptions {
  /** From the call to the answer, dialling included. A server that can't answer is silent, so there is always one. Default 10 s. */
  readonly timeoutMs?: number | undefined
  /** Called when the stream is open and the request is about to be sent: what follows is one round trip. */
  readonly onOpen?: (() => void) | undefined
}

export interface OpenRpcStreamOptions extends AbortOptions {
  /** For opening. */
  readonly timeoutMs?: number | undefined
}

export interface ReceiveOptions extends AbortOptions {
  /** Longest message that can be an honest answer; a function is asked when one begins to come. Default 4 MiB. */
  readonly maxBytes?: number | (() => number) | undefined
}

/**
 * A streaming call. Sending and receiving run side by side; one `receive` at a time. The write side stays open until the
 * last answer was read: servers take a half-closed stream for a cancelled one. Disposing resets a stream that has not
 * come to its end; the server then frees what it held at once.
 */
export interface RpcStream<Request, Response> extends AsyncDisposable {
  send(request: Request, options?: AbortOptions): Promise<void>
  /** @throws RpcError, ConnectionLostError (`clean`: the normal end of output), ProtocolError */
  receive(options?: ReceiveOptions): Promise<Response>
  /** Says that no more requests will come. */
  end(options?: AbortOptions): Promise<void>
  /** Cancels the call; `receive` under way throws `reason`. */
  abort(reason: Error): void
}
