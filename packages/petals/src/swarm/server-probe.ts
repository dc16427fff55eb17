import { RpcError } from '../errors.ts'
import type { ServerProbe } from '../routing/round-trips.ts'
import type { RpcClient, RpcMethod } from '../rpc/rpc-client.ts'
import { decodeExpertInfo, encodeExpertUid } from '../wire/runtime.ts'

/** Asks a server about itself; an empty uid asks about no block in particular. */
const infoMethod: RpcMethod<string, Uint8Array> = {
  name: 'TransformerConnectionHandler.rpc_info',
  encodeRequest: encodeExpertUid,
  decodeResponse: decodeExpertInfo,
}

/** Creates a probe that calls `rpc_info` of the server (`petals/server/handler.py`). */
export function createServerProbe(rpc: RpcClient): ServerProbe {
  return async (peer, options) => {
    try {
      await rpc.unary(peer, infoMethod, '', options)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error // a server that answers with an error is alive
    }
  }
}
