import { type Logger } from '@petals-chat/engine'
import {
  decodeExpertRequest,
  encodeExpertRequest,
  encodeExpertResponse,
  encodeMsgpack,
  rangeUid,
  ServedError,
  Tuple,
  type MsgpackInput,
  type RpcClient,
  type RpcMethod,
  type ExpertRequest,
  type UnaryContext,
} from '@petals-chat/petals/protocol'
import { readMetadata, readNextServers, type Metadata } from '../requests/metadata.ts'
import { readUids } from '../requests/uids.ts'
import type { ServingHost } from './host.ts'
import type { PushOutputs } from './inference-session.ts'
import type { SessionTable } from './session-table.ts'

const pushMethodName = 'TransformerConnectionHandler.rpc_push'

const pushMethod: RpcMethod<ExpertRequest, void> = {
  name: pushMethodName,
  encodeRequest: encodeExpertRequest,
  decodeResponse: () => {},
}

export { pushMethodName }

const accepted = encodeExpertResponse({ tensors: [], metadata: new Uint8Array(0) })

/** Takes the outputs of another server for a session here. An unknown session is ignored, as in Petals: it may have ended. */
export const receivePush =
  (host: ServingHost, table: SessionTable) =>
  async (data: Uint8Array, { keep }: UnaryContext): Promise<Uint8Array> => {
    const request = decodeExpertRequest(data)
    readUids(request.uid, host.dhtPrefix, host.blocks()?.range)
    const metadata = readMetadata(request.metadata)
    const sessionId = metadata.get('session_id')
    if (typeof sessionId !== 'string') throw new ServedError('KeyError', 'session_id')
    // The request outlives the call.
    table.find(sessionId)?.push({ request, metadata, release: keep() })
    return accepted
  }

/** A push that has not arrived by then is of no use. */
const timeoutMs = 60_000
/** What pushes to servers that don't answer may hold in memory. */
const maxBytesUnderWay = 64 * 1024 * 1024

export interface PusherOptions {
  readonly rpc: RpcClient
  readonly dhtPrefix: string
  readonly logger: Logger
  /** Bytes of all pushes under way, at most. Default: 64 MiB. */
  readonly maxBytes?: number
}

/**
 * Returns what sends outputs on to the next server (`_push_outputs` of `petals/server/handler.py`). Servers of the main branch
 * read the rest of the chain in the metadata of each step, those of 2.2.0 in that of the first request: both are served. A
 * failed push, and one that finds too many before it, is not an error here: the client sends the same inputs itself. Petals
 * sends the row ids and prompts of the first request along; here those of the step are sent, which are the right ones.
 */
export function createPusher({
  rpc,
  dhtPrefix,
  logger,
  maxBytes = maxBytesUnderWay,
}: PusherOptions): PushOutputs {
  let bytesUnderWay = 0
  return (tensors, first, step) => {
    const metadata = step.has('next_servers') ? step : first
    const [next, ...rest] = readNextServers(metadata)
    if (!next) return
    const request = {
      uid: rangeUid(dhtPrefix, next),
      tensors,
      metadata: encodeMsgpack(passedOn(metadata, next.sessionId, rest.length)),
    }
    const bytes = tensors.reduce((sum, { buffer }) => sum + buffer.byteLength, request.metadata.byteLength)
    if (bytesUnderWay + bytes > maxBytes) return
    bytesUnderWay += bytes
    rpc
      .unary(next.peer, pushMethod, request, { timeoutMs })
      .catch((error: unknown) =>
        logger.debug({ err: error, peer: next.peer }, 'could not push outputs to the next server'),
      )
      .finally(() => (bytesUnderWay -= bytes))
  }
}

function passedOn(
  metadata: Metadata,
  sessionId: string,
  left: number,
): ReadonlyMap<MsgpackInput, MsgpackInput> {
  const passed = new Map<MsgpackInput, MsgpackInput>(metadata as ReadonlyMap<MsgpackInput, MsgpackInput>)
  const chain = metadata.get('next_servers') as readonly (readonly MsgpackInput[])[]
  const rest = left > 0 ? chain.slice(-left).map((server) => new Tuple(server)) : []
  return passed.set('session_id', sessionId).set('pushed', true).set('next_servers', rest)
}
