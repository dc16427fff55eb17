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

/** One session on one server: many requests, one response each, in order (`petals/server/handler.py`). */
export const inferenceMethod: RpcMethod<ExpertRequest, ExpertResponse> = {
  name: 'TransformerConnectionHandler.rpc_inference',
  encodeRequest: encodeExpertRequest,
  decodeResponse: decodeExpertResponse,
}

/** A server that outputs are handed on to, and its session. */
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
  /** Tokens that the KV cache is to hold. */
  readonly maxLength: number
  readonly adapter?: string | undefined
  /** How long to wait for room in the KV cache, seconds; the server fails at once if left out. */
  readonly allocTimeoutSeconds?: number | undefined
  /** Where 2.2.0.post1 servers hand every output on to. */
  readonly nextServers?: readonly NextServer[] | undefined
  /** The first step; of no tokens, it only allocates. [1, tokens, hidden] */
  readonly inputs: Tensor
}

export interface StepRequest {
  /** [1, tokens, hidden]. */
  readonly inputs: Tensor
  /** Steps with an id that the server has seen in this session are dropped without an answer. */
  readonly stepId?: string | undefined
  /** Forget what is in the KV cache from here on. Only for servers that are known to do so. */
  readonly startFromPosition?: number | undefined
  /** Where servers newer than 2.2 hand the output of this step on to. */
  readonly nextServers?: readonly NextServer[] | undefined
}

/** Every request carries three tensors; "no prompts" is an empty float tensor, "no reordering" an empty one of integers. */
const noPrompts: TensorMessage = encodeTensor(emptyTensor('float32'))
const noReordering: TensorMessage = encodeTensor(emptyTensor('int64'))

/** The first request: allocates the KV cache. Has no step id, so that what it pushes is never a duplicate. */
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

/** Later requests need not name the blocks again: servers look at the first one's only. */
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
