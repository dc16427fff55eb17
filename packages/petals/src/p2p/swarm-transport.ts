import type { AbortOptions } from '@petals-chat/engine'
import type { PeerId } from './peer-id.ts'

/** Encrypted, authenticated streams to peers of the swarm, by their ids. The caller disposes each stream that it opens. */
export interface SwarmTransport extends AsyncDisposable {
  readonly localPeer: PeerId
  /** The peers given to `connect` that could be reached, in the order of their answers. */
  readonly initialPeers: readonly PeerId[]
  /**
   * Dials all initial peers at once and returns as soon as one is connected; dialling the others continues in the
   * background. @throws SwarmUnreachableError if none can be reached
   */
  connect(multiaddrs: readonly string[], options?: AbortOptions): Promise<void>
  /**
   * Opens a stream. If there is no connection, it dials the peer; if no address is known, it looks one up. It does not wait
   * for the peer to agree to the protocol: what is written at once goes out with the header. That the peer refuses, or that
   * an existing connection turned out to be dead and the peer can't be dialled anew, is an error of the stream's reads and
   * writes. @throws PeerUnreachableError, ConnectionLostError
   */
  openStream(peer: PeerId, protocol: string, options?: OpenStreamOptions): Promise<ByteStream>
  /**
   * Returns the timeout for one exchange with a peer, connecting included: `timeoutMs`, or more where connecting to the
   * initial peers took long. A slow line is not a dead peer.
   */
  patience(timeoutMs: number): number
  /** Returns the open connection to the peer, if there is one. */
  connection(peer: PeerId): ConnectionInfo | undefined
}

export interface OpenStreamOptions extends AbortOptions {
  /** For lookup, dialling and negotiation together. Default: the transport's `connectTimeoutMs`. At least what `patience` makes of it. */
  readonly timeoutMs?: number | undefined
  /**
   * Called when what is written goes to the peer at once, so that an answer takes one round trip. Called again if the
   * connection turned out to be dead, and the stream was opened on a new one.
   */
  readonly onOpen?: (() => void) | undefined
}

export interface ConnectionInfo {
  /** Multiaddr. */
  readonly address: string
  /** The connection goes through a relay, because the peer is behind a NAT. */
  readonly relayed: boolean
}

/** Bytes in both directions. Reads and writes may run at the same time; only one read at a time. */
export interface ByteStream extends AsyncDisposable {
  /**
   * Returns exactly `byteLength` bytes, which may be a view of a larger buffer. Bytes that arrive without a pending read
   * are buffered up to a limit; then back-pressure stops the peer.
   * @throws ConnectionLostError if the stream ends first, PeerUnreachableError if the peer refuses the protocol
   */
  read(byteLength: number, options?: AbortOptions): Promise<Uint8Array>
  /** Resolves when the bytes were handed to the connection, before they arrive. Don't change them until then. */
  write(bytes: Uint8Array | readonly Uint8Array[], options?: AbortOptions): Promise<void>
  /** Resets the stream: the peer's handler is cancelled, and a pending read rejects with `reason`. */
  abort(reason: Error): void
}
