import {
  decodePingRequest,
  decodePingResponse,
  encodePingRequest,
  encodePingResponse,
  peerIdFromBytes,
  serveUnary,
  type ListeningTransport,
  type PeerId,
  type Reserve,
  type RpcClient,
  type RpcMethod,
} from '@petals-chat/petals/protocol'

const methodName = 'ReachabilityProtocol.rpc_check'

/** The bytes of a peer's id; the answer is whether the callee could reach that peer. */
const checkMethod: RpcMethod<Uint8Array, boolean> = {
  name: methodName,
  encodeRequest: (nodeId) => encodePingRequest({ nodeId }),
  decodeResponse: (bytes) => decodePingResponse(bytes).available ?? false,
}

/** Others can have this node dial peers: only a few at a time. */
const maxChecks = 4
const dialMs = 5000
const askMs = 15_000
/** Peers that are asked, and the share of them that must say yes (`check_direct_reachability` of Petals). */
const maxAsked = 5
const threshold = 0.5

/** Helps other servers find out whether they can be dialled (`petals/server/reachability.py`). */
export async function serveReachability(transport: ListeningTransport, reserve: Reserve): Promise<void> {
  let running = 0
  await serveUnary(transport, methodName, { reserve }, async (data) => {
    const peer = peerIdFromBytes(decodePingRequest(data).nodeId ?? new Uint8Array(0))
    const answer = (available: boolean): Uint8Array =>
      encodePingResponse({ nodeId: undefined, dhtTime: 0, available })
    if (peer === transport.localPeer) return answer(true)
    if (!peer || running >= maxChecks) return answer(false)
    running++
    const reached = transport.dialBack(peer, AbortSignal.timeout(dialMs)).finally(() => running--)
    return answer(await reached)
  })
}

/**
 * Asks peers whether they can dial this node. Returns undefined if none of them could find out: the first node of a swarm has
 * no other peer to ask.
 */
export async function isReachable(
  rpc: RpcClient,
  ownId: Uint8Array,
  peers: readonly PeerId[],
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const answers = await Promise.allSettled(
    peers.slice(0, maxAsked).map((peer) => rpc.unary(peer, checkMethod, ownId, { signal, timeoutMs: askMs })),
  )
  const known = answers.filter((answer) => answer.status === 'fulfilled')
  if (known.length === 0) return undefined
  return known.filter(({ value }) => value).length / known.length >= threshold
}
