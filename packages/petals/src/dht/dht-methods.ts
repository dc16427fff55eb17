import type { RpcMethod } from '../rpc/rpc-client.ts'
import {
  decodeFindResponse,
  decodePingResponse,
  encodeFindRequest,
  encodePaddedPing,
  encodePingRequest,
  type FindResponse,
  type PingResponse,
} from '../wire/dht.ts'

export const pingMethod: RpcMethod<void, PingResponse> = {
  name: 'DHTProtocol.rpc_ping',
  encodeRequest: () => encodePingRequest(),
  decodeResponse: decodePingResponse,
}

/** A ping with bytes that no node reads: how long they take shows how fast they can be sent. */
export const paddedPingMethod: RpcMethod<Uint8Array, PingResponse> = {
  ...pingMethod,
  encodeRequest: encodePaddedPing,
}

/** The request is a list of ids of keys. */
export const findMethod: RpcMethod<readonly Uint8Array[], FindResponse> = {
  name: 'DHTProtocol.rpc_find',
  encodeRequest: (keys) => encodeFindRequest(keys),
  decodeResponse: decodeFindResponse,
}
