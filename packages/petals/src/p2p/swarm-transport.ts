import type { AbortOptions } from '@petals-chat/engine'
import type { PeerId } from './peer-id.ts'

/** Encrypted, authenticated streams to peers of the swarm, by their ids. Whoever opens a stream ends it. */
export interface SwarmTransport extends AsyncDisposable {
  readonly localPeer: PeerId
  /** Peers that `connect` was given and that could be reached, in order of their answers. */
  readonly initialPeers: readonly PeerId[]
  /**
   * Dials the initial peers side by side and returns as soon as one of them is connected; the others go on in the
   * background. @throws PeerUnreachableError if none can be reached.
   */
  connect(multiaddrs: readonly string[], options?: AbortOptions): Promise<void>
  /**
   * A new stream; dials first if need be, and looks the address up if it is not known.
   * @throws PeerUnreachableError, ConnectionLostError
   */
  openStream(peer: PeerId, protocol: string, options?: OpenStreamOptions): Promise<ByteStream>
  /** How the peer is connected now. */
  connection(peer: PeerId): ConnectionInfo | undefined
}

export interface OpenStreamOptions extends AbortOptions {
  /** For everything: looking up, dialling, negotiating. Default: the transport's connectTimeoutMs. */
  readonly timeoutMs?: number | undefined
}

export interface ConnectionInfo {
  /** Multiaddr. */
  readonly address: string
  /** Through a relay, because the peer is behind NAT. */
  readonly relayed: boolean
}

/** Bytes in both directions. One read at a time; reads and writes run side by side. */
export interface ByteStream extends AsyncDisposable {
  /**
   * Exactly `byteLength` bytes, perhaps a view of a larger buffer. What arrives while nobody reads is kept up to a bound,
   * then the peer is held up. @throws ConnectionLostError if the stream ends first; its `clean` tells how.
   */
  read(byteLength: number, options?: AbortOptions): Promise<Uint8Array>
  /** Resolves when the bytes are on their way, not when they have arrived. They must not be changed meanwhile. */
  write(bytes: Uint8Array | readonly Uint8Array[], options?: AbortOptions): Promise<void>
  /** Resets the stream: the peer's handler is cancelled, reads under way throw `reason`. */
  abort(reason: Error): void
}
