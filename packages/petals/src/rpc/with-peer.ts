import { ProtocolError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** Runs `decode` and names `peer` in its ProtocolError: decoders don't know which peer sent their bytes. */
export function withPeer<T>(peer: PeerId, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.peer !== undefined) throw error
    throw new ProtocolError(`Peer ${peer} violated the protocol: ${error.message}`, { peer, cause: error })
  }
}
