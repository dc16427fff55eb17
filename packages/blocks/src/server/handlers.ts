import type { Logger } from '@petals-chat/engine'
import {
  serveStream,
  serveUnary,
  type InboundBudget,
  type ListeningTransport,
  type RpcClient,
} from '@petals-chat/petals/protocol'
import { noGradients, serveForward, serveForwardStream } from '../sessions/forward.ts'
import type { ServingHost } from '../sessions/host.ts'
import { serveInfo } from '../sessions/info.ts'
import { serveInference } from '../sessions/inference-session.ts'
import { createPusher, pushMethodName, receivePush } from '../sessions/push.ts'
import type { SessionTable } from '../sessions/session-table.ts'

export interface HandlerOptions {
  readonly transport: ListeningTransport
  readonly rpc: RpcClient
  readonly host: ServingHost
  readonly table: SessionTable
  readonly budget: InboundBudget
  /** Longest request, bytes. */
  readonly maxMessageBytes: number
  readonly version: string
  readonly dhtClientMode: boolean
  readonly logger: Logger
}

const methods = 'TransformerConnectionHandler.'

/** Serves the methods of a Petals server (`petals/server/handler.py`). */
export async function serveBlocks(options: HandlerOptions): Promise<void> {
  const { transport, rpc, host, table, budget, maxMessageBytes, version, dhtClientMode, logger } = options
  const { reserve } = budget
  const frames = { budget, maxMessageBytes }
  const push = createPusher({ rpc, dhtPrefix: host.dhtPrefix, logger })
  const unary = (name: string, handler: Parameters<typeof serveUnary>[3]): Promise<void> =>
    serveUnary(transport, name, { reserve }, handler)
  await Promise.all([
    serveStream(transport, `${methods}rpc_inference`, frames, (call) =>
      serveInference(call, { host, table, push }),
    ),
    unary(`${methods}rpc_forward`, serveForward(host)),
    serveStream(transport, `${methods}rpc_forward_stream`, frames, serveForwardStream(host, maxMessageBytes)),
    unary(pushMethodName, receivePush(host, table)),
    unary(`${methods}rpc_info`, serveInfo(host, version, dhtClientMode)),
    unary(`${methods}rpc_backward`, async () => noGradients()),
    serveStream(transport, `${methods}rpc_backward_stream`, frames, async () => noGradients()),
  ])
}
