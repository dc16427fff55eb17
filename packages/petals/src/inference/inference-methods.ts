import type { RpcMethod } from '../rpc/rpc-client.ts'
import { encodeTensor } from '../tensor/codecs/index.ts'
import { emptyTensor, type Tensor } from '../tensor/tensor.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { Tuple, type MsgpackInput } from '../wire/msgpack-values.ts'
import {
  decodeExpertResponse,
  encodeExpertRequest,
  type ExpertRequest,
  type ExpertResponse,
  type TensorMessage,
} from '../wire/runtime.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { HiddenTensor } from './step-outputs.ts'

/** One server session: many requests, with one response each, in order (`petals/server/handler.py`). */
export const inferenceMethod: RpcMethod<ExpertRequest, ExpertResponse> = {
  name: 'TransformerConnectionHandler.rpc_inference',
  encodeRequest: encodeExpertRequest,
  decodeResponse: decodeExpertResponse,
}

/** A server that outputs are pushed to, and its session. */
export interface NextServer {
  readonly peer: PeerId
  readonly sessionId: string
  readonly start: number
  readonly end: number
}

export interface OpeningRequest {
  /** Names of the blocks, joined by spaces. */
  readonly uid: string
  readonly sessionId: string
  /** Tokens that the KV cache shall hold. */
  readonly maxLength: number
  readonly adapter?: string | undefined
  /** How long the server may wait for room in its KV cache, seconds. Without it, the server fails at once. */
  readonly allocTimeoutSeconds?: number | undefined
  /** Where servers of 2.2.0.post1 push every output to. */
  readonly nextServers?: readonly NextServer[] | undefined
  /** The first step, [1, tokens, hidden]. Without tokens it only allocates. */
  readonly inputs: Tensor
}

export interface StepRequest {
  /** [1, tokens, hidden]. */
  readonly inputs: Tensor
  /** The server drops a step without an answer if it has seen the id in this session. */
  readonly stepId?: string | undefined
  /** The server forgets what its KV cache holds from this position on. Only for servers that are known to do so. */
  readonly startFromPosition?: number | undefined
  /** Where servers newer than 2.2 push the output of this step to. */
  readonly nextServers?: readonly NextServer[] | undefined
}

/** Every request carries three tensors. An empty float tensor means "no prompts", an empty integer tensor "no reordering". */
const noPrompts: TensorMessage = encodeTensor(emptyTensor('float32'))
const noReordering: TensorMessage = encodeTensor(emptyTensor('int64'))

/** The first request, which allocates the KV cache. It has no step id, so that its push is never taken for a duplicate. */
export function openingRequest(request: OpeningRequest): ExpertRequest {
  const metadata = new Map<string, MsgpackInput>([
    ['session_id', request.sessionId],
    ['max_length', request.maxLength],
  ])
  if (request.adapter) metadata.set('active_adapter', request.adapter)
  if (request.allocTimeoutSeconds) metadata.set('alloc_timeout', request.allocTimeoutSeconds)
  if (request.nextServers?.length) metadata.set('next_servers', tuplesOf(request.nextServers))
  return expertRequest(request.uid, request.inputs, metadata)
}

/** A step of no tokens. */
export const noInputs = (hiddenSize: number): HiddenTensor => ({
  dtype: 'float32',
  shape: [1, 0, hiddenSize],
  data: new Uint8Array(0),
})

/** A later request. It need not name the blocks: servers read only the first request's. */
export function stepRequest({ inputs, stepId, startFromPosition, nextServers }: StepRequest): ExpertRequest {
  const metadata = new Map<string, MsgpackInput>()
  if (stepId !== undefined) metadata.set('step_id', stepId)
  if (startFromPosition !== undefined) metadata.set('start_from_position', startFromPosition)
  if (nextServers?.length) metadata.set('next_servers', tuplesOf(nextServers))
  return expertRequest('', inputs, metadata)
}

const expertRequest = (
  uid: string,
  inputs: Tensor,
  metadata: ReadonlyMap<string, MsgpackInput>,
): ExpertRequest => ({
  uid,
  tensors: [encodeTensor(inputs), noPrompts, noReordering],
  metadata: metadata.size > 0 ? encodeMsgpack(metadata) : new Uint8Array(0),
})

const tuplesOf = (servers: readonly NextServer[]): readonly Tuple[] =>
  servers.map(({ peer, sessionId, start, end }) => new Tuple([peer, sessionId, start, end]))
