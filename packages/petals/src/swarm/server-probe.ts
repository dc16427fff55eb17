import { RpcError } from '../errors.ts'
import type { ServerProbe } from '../routing/round-trips.ts'
import type { RpcClient, RpcMethod } from '../rpc/rpc-client.ts'
import { decodeExpertInfo, encodeExpertUid } from '../wire/runtime.ts'

/** What a server says of itself; of no block in particular. */
const infoMethod: RpcMethod<string, Uint8Array> = {
  name: 'TransformerConnectionHandler.rpc_info',
  encodeRequest: encodeExpertUid,
  decodeResponse: decodeExpertInfo,
}

/** Asks servers themselves whether they are there. */
export function createServerProbe(rpc: RpcClient): ServerProbe {
  return async (peer, options) => {
    try {
      await rpc.unary(peer, infoMethod, '', options)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error // a server that fails is there
    }
  }
}
