import { ProtocolError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** Decodes what `peer` sent: decoders don't know whose bytes they read, the errors that leave here do. */
export function withPeer<T>(peer: PeerId, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.peer !== undefined) throw error
    throw new ProtocolError(`Peer ${peer} broke the protocol: ${error.message}`, { peer, cause: error })
  }
}
