import { decodeMsgpack } from '../wire/msgpack-decode.ts'
import { RpcError } from '../errors.ts'
import type { RoomProbe } from '../routing/room-questions.ts'
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

/** Creates a question for the free KV cache of a server, in vectors; undefined if its answer does not tell. */
export function createRoomProbe(rpc: RpcClient): RoomProbe {
  return async (peer, options) => {
    const info = decodeMsgpack(await rpc.unary(peer, infoMethod, '', options))
    const tokens = info instanceof Map ? info.get('cache_tokens_available') : undefined
    // It counts the key and the value of a token together.
    return typeof tokens === 'number' && tokens >= 0 ? 2 * tokens : undefined
  }
}
