import type { SwarmTransport } from '../p2p/swarm-transport.ts'
import type { RpcClient } from './rpc-client.ts'
import { StreamingCall } from './streaming-call.ts'
import { callUnary } from './unary-call.ts'

/** Creates a client over the streams of `transport`. The caller disposes the transport. */
export function createRpcClient(transport: SwarmTransport): RpcClient {
  return {
    patience: (timeoutMs) => transport.patience(timeoutMs),
    unary: (peer, method, request, options) => callUnary(transport, peer, method, request, options),
    openStream: async (peer, method, options) =>
      new StreamingCall(await transport.openStream(peer, method.name, options), peer, method),
  }
}
