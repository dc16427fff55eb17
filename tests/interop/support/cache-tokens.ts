import { createLibp2pTransport } from '../../../packages/petals/src/p2p/libp2p-transport.ts'
import { parsePeerId } from '../../../packages/petals/src/p2p/peer-id.ts'
import type { RpcMethod } from '../../../packages/petals/src/rpc/rpc-client.ts'
import { createRpcClient } from '../../../packages/petals/src/rpc/transport-rpc-client.ts'
import { decodeMsgpack } from '../../../packages/petals/src/wire/msgpack-decode.ts'
import { decodeExpertInfo, encodeExpertUid } from '../../../packages/petals/src/wire/runtime.ts'
import type { SwarmServer } from '../../../swarm/server.ts'

const infoMethod: RpcMethod<string, ReadonlyMap<unknown, unknown>> = {
  name: 'TransformerConnectionHandler.rpc_info',
  encodeRequest: encodeExpertUid,
  decodeResponse: (bytes) => decodeMsgpack(decodeExpertInfo(bytes)) as ReadonlyMap<unknown, unknown>,
}

/** Asks servers how much of their KV cache is free. */
export interface CacheReader extends AsyncDisposable {
  /** Free tokens of each server, in this order. */
  read(): Promise<readonly number[]>
}

/** Uses a libp2p node of its own, so that the client under test is not involved. */
export async function openCacheReader(
  servers: readonly Pick<SwarmServer, 'peerId' | 'multiaddr'>[],
): Promise<CacheReader> {
  const transport = await createLibp2pTransport({ connectTimeoutMs: 10_000 })
  const rpc = createRpcClient(transport)
  await transport.connect(servers.map(({ multiaddr }) => multiaddr))
  return {
    read: () =>
      Promise.all(
        servers.map(async ({ peerId }) => {
          const info = await rpc.unary(parsePeerId(peerId), infoMethod, '', { timeoutMs: 30_000 })
          return Number(info.get('cache_tokens_available'))
        }),
      ),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}
