import {
  decodeExpertRequest,
  encodeExpertResponse,
  encodeTensor,
  floatTensor,
  joinTensors,
  ProtocolError,
  rangeLength,
  ServedError,
  splitTensor,
  compressions,
  type Compression,
  type ExpertRequest,
  type MsgpackValue,
  type PeerId,
  type ServedCall,
  type TensorMessage,
  type UnaryContext,
} from '@petals-chat/petals/protocol'
import { checkAdapter, checkPoints, readMetadata, type Metadata } from '../requests/metadata.ts'
import { orderedTensors, readPrompts, readStates } from '../requests/pass-tensors.ts'
import { readUids } from '../requests/uids.ts'
import { asServedError } from './engine-errors.ts'
import type { ServingHost, ServingLimits } from './host.ts'

const noMetadata = new Uint8Array(0)

/** Serves `rpc_forward`: a pass without a session (`petals/server/handler.py`). */
export const serveForward =
  (host: ServingHost) =>
  async (data: Uint8Array, { remote, signal }: UnaryContext): Promise<Uint8Array> => {
    const tensor = await forward(host, decodeExpertRequest(data), remote, signal)
    return encodeExpertResponse({ tensors: [tensor], metadata: noMetadata })
  }

/** Serves `rpc_forward_stream`: the same in parts of 4 MiB, because a unary call has at most one of them. */
export const serveForwardStream =
  (host: ServingHost, maxBytes: number) =>
  async (call: ServedCall): Promise<void> => {
    const releases: (() => void)[] = []
    try {
      const request = await gather(call, maxBytes, host.limits, releases)
      using left = new CallerLeft(call)
      const tensor = await forward(host, request, call.remote, left.signal)
      for (const part of splitTensor(tensor))
        await call.respond(encodeExpertResponse({ tensors: [part], metadata: noMetadata }))
    } finally {
      for (const release of releases) release()
    }
  }

/** Notices that a caller whose request is complete has left: nothing else ends its stream before the answer. */
class CallerLeft implements Disposable {
  readonly #left = new AbortController()
  readonly #over = new AbortController()

  constructor(call: ServedCall) {
    call.next({ signal: this.#over.signal }).then(
      (more) => more?.release(),
      (error: unknown) => this.#left.abort(error),
    )
  }

  get signal(): AbortSignal {
    return this.#left.signal
  }

  [Symbol.dispose](): void {
    this.#over.abort(new Error('The call has its answer.'))
  }
}

/** Joins the parts of a request; the metadata of the first counts. */
async function gather(
  call: ServedCall,
  maxBytes: number,
  { requestTimeoutMs, openingTimeoutMs: startMs }: ServingLimits,
  releases: (() => void)[],
): Promise<ExpertRequest> {
  const timeout = AbortSignal.timeout(requestTimeoutMs)
  const parts: TensorMessage[] = []
  let first: ExpertRequest | undefined
  let bytes = 0
  for (
    let next = await call.next({ signal: timeout, startMs });
    next;
    next = await call.next({ signal: timeout })
  ) {
    releases.push(next.release)
    bytes += next.payload.byteLength
    if (bytes > maxBytes) throw new ProtocolError(`A request in parts has more than ${maxBytes} bytes.`)
    const request = decodeExpertRequest(next.payload)
    first ??= request
    if (request.uid !== first.uid) throw new ServedError('ValueError', 'Block uids differ in one request')
    parts.push(...request.tensors)
  }
  if (!first) throw new ServedError('AssertionError', 'The request has no parts.')
  return { ...first, tensors: [...joinTensors(parts, maxBytes)] }
}

async function forward(
  host: ServingHost,
  { uid, tensors, metadata: bytes }: ExpertRequest,
  peer: PeerId,
  left: AbortSignal,
): Promise<TensorMessage> {
  const held = host.acceptsSessions() ? host.blocks() : undefined
  const blocks = readUids(uid, host.dhtPrefix, held?.range)
  const { engine } = held!
  const metadata = readMetadata(bytes)
  checkAdapter(metadata, host.adapters)
  checkPoints(metadata, 'rpc_forward')
  const compression = readCompression(metadata)
  const [hidden, prompts] = orderedTensors(tensors, metadata.get('args_structure'))
  if (!hidden || !prompts)
    throw new ServedError(
      'ValueError',
      `not enough values to unpack (expected at least 2, got ${tensors.length})`,
    )
  const { batch, tokens, values: states } = readStates(hidden, engine.info)
  const deep = readPrompts(prompts, rangeLength(blocks), { batch, tokens, values: states }, engine.info)
  const timeout = AbortSignal.timeout(host.limits.requestTimeoutMs)
  const info = { kind: 'forward', peer, blocks, batch, maxLength: 0, openedAt: Date.now() } as const
  host.observer.opened(info)
  try {
    const startedAt = performance.now()
    const signal = AbortSignal.any([left, timeout])
    const owner = { owner: peer, origin: host.originOf(peer) }
    const pass = { ...blocks, batch, tokens, states, ...owner, signal, ...(deep ? { prompts: deep } : {}) }
    const outputs = batch * tokens === 0 ? new Float32Array(0) : await engine.forward(pass)
    host.observer.computed(info, batch * tokens, performance.now() - startedAt)
    const { hiddenSize, dtype } = engine.info
    return encodeTensor(floatTensor(outputs, [batch, tokens, hiddenSize], dtype), compression)
  } catch (error) {
    if (timeout.aborted) throw new ServedError('TimeoutError', '', { cause: error })
    throw asServedError(error)
  } finally {
    host.observer.closed(info)
  }
}

/** `output_compression` of a request: a list of one number. @throws ServedError */
function readCompression(metadata: Metadata): Compression {
  const list = metadata.get('output_compression') ?? [compressions.none]
  const [compression] = Array.isArray(list) && list.length === 1 ? (list as readonly MsgpackValue[]) : []
  const known = Object.values(compressions).find((value) => value === compression)
  if (known !== undefined) return known
  throw new ServedError('AssertionError', 'output_compression must be a list of one known compression')
}

/** What a client is told that wants gradients. Trainers in Python write it to their logs, and try again. */
export const noGradients = (): never => {
  const advice =
    'Train with servers that run on Python: name them in allowed_servers, or this one in blocked_servers.'
  throw new ServedError('RuntimeError', `This server computes no gradients (rpc_backward). ${advice}`)
}
