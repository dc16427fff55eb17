import type { Connection } from '@libp2p/interface'
import { EarlyByteStream, unsupportedProtocol, type EarlyStreamOptions } from './early-byte-stream.ts'
import { Libp2pByteStream } from './libp2p-byte-stream.ts'
import type { PeerId } from './peer-id.ts'
import type { ByteStream } from './swarm-transport.ts'

export const maxStreamsPerProtocol = 1024

const options = {
  runOnLimitedConnection: true, // a relay limits bytes and time; sessions recover when it ends the connection
  maxOutboundStreams: maxStreamsPerProtocol,
} as const

/** Opens a stream whose first bytes go out together with the header of the protocol: the peer has not agreed yet. */
export async function earlyStream(connection: Connection, early: EarlyStreamOptions): Promise<ByteStream> {
  const stream = await connection.newStream(early.protocol, { ...options, negotiateFully: false })
  return new EarlyByteStream(new Libp2pByteStream(stream, early.peer, { limits: connection.limits }), early)
}

/** Opens a stream and waits until the peer has agreed to the protocol. @throws PeerUnreachableError if it refuses */
export async function negotiatedStream(
  connection: Connection,
  peer: PeerId,
  protocol: string,
  signal: AbortSignal,
): Promise<ByteStream> {
  try {
    const stream = await connection.newStream(protocol, { ...options, signal })
    return new Libp2pByteStream(stream, peer, { limits: connection.limits })
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'UnsupportedProtocolError')
      throw unsupportedProtocol(peer, protocol, cause)
    throw cause
  }
}
