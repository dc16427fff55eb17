import { findMethod, pingMethod } from '../dht/dht-methods.ts'
import type { RpcMethod } from '../rpc/rpc-client.ts'
import {
  decodeStoreResponse,
  encodeFindRequest,
  encodePingRequest,
  encodeStoreRequest,
  type StoredItem,
  type StoreResponse,
} from '../wire/dht.ts'

export const storeMethodName = 'DHTProtocol.rpc_store'

/** The calls of a node, which tell its id: those that are called add it to their routing tables. */
export interface NodeMethods {
  readonly ping: typeof pingMethod
  readonly find: typeof findMethod
  readonly store: RpcMethod<readonly StoredItem[], StoreResponse>
}

export const nodeMethods = (nodeId: Uint8Array): NodeMethods => ({
  ping: { ...pingMethod, encodeRequest: () => encodePingRequest({ nodeId }) },
  find: { ...findMethod, encodeRequest: (keyIds) => encodeFindRequest(keyIds, nodeId) },
  store: {
    name: storeMethodName,
    encodeRequest: (items) => encodeStoreRequest({ items, nodeId }),
    decodeResponse: decodeStoreResponse,
  },
})
