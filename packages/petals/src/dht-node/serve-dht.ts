import { ProtocolError } from '../errors.ts'
import { dhtIdBytes } from '../dht/dht-id.ts'
import { findMethod, pingMethod } from '../dht/dht-methods.ts'
import type { ProtocolServer } from '../p2p/listening/listening-transport.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { Reserve } from '../rpc/inbound-budget.ts'
import { serveUnary } from '../rpc/serve-unary.ts'
import {
  decodeFindRequest,
  decodePingRequest,
  decodeStoreRequest,
  encodeFindResponse,
  encodePingResponse,
  encodeStoreResponse,
  type StoredItem,
} from '../wire/dht.ts'
import { storeMethodName } from './node-methods.ts'
import type { ServedNode } from './served-node.ts'
import { recordsOf } from './stored-items.ts'

/** Keys in one request: a model has some hundred blocks, and hivemind asks for sixteen at a time. */
const maxKeys = 1024
/** Callers that are called back at a time, and how long that may take. */
const maxCallBacks = 32
const callBackMs = 3000

/** Serves the three methods of a node (`hivemind/dht/protocol.py`). */
export async function serveDht(server: ProtocolServer, reserve: Reserve, node: ServedNode): Promise<void> {
  const { nodeId } = node
  const callBack = limited(maxCallBacks, (peer: PeerId) => answers(node, peer))
  await serveUnary(server, pingMethod.name, { reserve }, async (data, { remote }) => {
    const request = decodePingRequest(data)
    const isNode = request.nodeId?.byteLength === dhtIdBytes
    const available = isNode && request.validate && (await callBack(remote))
    if (isNode && (available || !request.validate)) meet(node, request.nodeId, remote)
    return encodePingResponse({ nodeId, dhtTime: node.now(), available })
  })
  await serveUnary(server, findMethod.name, { reserve }, async (data, { remote }) => {
    const request = decodeFindRequest(data)
    if (request.keys.length > maxKeys || request.keys.some((key) => key.byteLength !== dhtIdBytes))
      throw new ProtocolError(`A request must have at most ${maxKeys} keys of ${dhtIdBytes} bytes each.`)
    meet(node, request.nodeId, remote)
    return encodeFindResponse({ results: node.find(request.keys, remote), nodeId })
  })
  await serveUnary(server, storeMethodName, { reserve }, async (data, { remote }) => {
    const request = decodeStoreRequest(data)
    const stored = request.items.map((item) => store(node, item, remote))
    meet(node, request.nodeId, remote)
    return encodeStoreResponse({ stored, nodeId })
  })
}

function store(node: ServedNode, item: StoredItem, remote: PeerId): boolean {
  try {
    const verdicts = recordsOf(item, remote).map((record) => node.records.store(record))
    return verdicts.every((isStored) => isStored)
  } catch (error) {
    if (error instanceof ProtocolError) return false
    throw error
  }
}

function meet(node: ServedNode, nodeId: Uint8Array | undefined, peer: PeerId): void {
  if (nodeId) node.meet({ nodeId: Uint8Array.from(nodeId), peer })
}

const answers = (node: ServedNode, peer: PeerId): Promise<boolean> =>
  node.ping(peer, { timeoutMs: callBackMs }).then(
    () => true,
    () => false,
  )

/** Returns `call`, which gives false beyond `most` calls at a time. */
function limited(most: number, call: (peer: PeerId) => Promise<boolean>): (peer: PeerId) => Promise<boolean> {
  let running = 0
  return async (peer) => {
    if (running >= most) return false
    running++
    return await call(peer).finally(() => running--)
  }
}
