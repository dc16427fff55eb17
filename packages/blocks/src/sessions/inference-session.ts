import {
  encodeExpertResponse,
  encodeTensor,
  floatTensor,
  rangeLength,
  ServedError,
  type BlockRange,
  type ServedCall,
  type TensorMessage,
} from '@petals-chat/petals/protocol'
import type { BlockCache, BlockEngine } from '../engine/block-engine.ts'
import { checkAdapter, readPosition, readStepId, readTerms, type Metadata } from '../requests/metadata.ts'
import { orderedTensors, readHypoIds, readPrompts, readStates } from '../requests/pass-tensors.ts'
import { readUids } from '../requests/uids.ts'
import { Arrivals, type Arrival } from './arrivals.ts'
import { asServedError } from './engine-errors.ts'
import type { ServingHost, SessionInfo } from './host.ts'
import { RecentIds } from './recent-ids.ts'
import type { SessionTable } from './session-table.ts'

/**
 * Sends the tensors of a step, with its outputs as hidden states, to the next server of a chain, in the background. `first` is
 * the metadata of the session's first request, `step` that of the step.
 */
export type PushOutputs = (tensors: readonly TensorMessage[], first: Metadata, step: Metadata) => void

export interface InferenceServices {
  readonly host: ServingHost
  readonly table: SessionTable
  readonly push: PushOutputs
}

/** What stays the same in all steps of a session. */
interface Opened {
  /** Metadata of the first request. */
  readonly first: Metadata
  readonly blocks: BlockRange
  readonly engine: BlockEngine
  readonly cache: BlockCache
  readonly info: SessionInfo
  readonly arrivals: Arrivals
  /** Aborted when the client has left, and at the end of the session's time. */
  readonly signal: AbortSignal
}

/**
 * Serves `rpc_inference` (`petals/server/handler.py`): one call is one session with a KV cache of its own, and has one answer for
 * each request. It ends with an empty request, with the end of input, when the client leaves, and after its timeouts.
 */
export async function serveInference(call: ServedCall, services: InferenceServices): Promise<void> {
  const { limits } = services.host
  using arrivals = new Arrivals(call, limits.openingTimeoutMs)
  const first = await readOpening(arrivals, limits.stepTimeoutMs)
  if (!first) return
  const wall = AbortSignal.timeout(limits.sessionTimeoutMs)
  try {
    await openSession(call, { first, arrivals, wall }, services)
  } catch (error) {
    if (wall.aborted) throw new ServedError('TimeoutError', '')
    throw error
  }
}

/** What the first request says of the whole session. It does not hold the request: a long prompt is let go after its step. */
interface OpeningRequest {
  readonly uid: string
  readonly metadata: Metadata
  /** The first request fixes the rows of the KV cache. */
  readonly batch: number
}

async function readOpening(arrivals: Arrivals, timeoutMs: number): Promise<OpeningRequest | undefined> {
  const first = await arrivals.peek(timeoutMs)
  if (!first) return undefined
  const { uid, tensors } = first.request
  return { uid, metadata: first.metadata, batch: tensors[0]?.size[0] ?? 1 }
}

interface Opening {
  readonly first: OpeningRequest
  readonly arrivals: Arrivals
  readonly wall: AbortSignal
}

async function openSession(
  call: ServedCall,
  { first, arrivals, wall }: Opening,
  services: InferenceServices,
): Promise<void> {
  const { host, table } = services
  const held = host.acceptsSessions() ? host.blocks() : undefined
  const blocks = readUids(first.uid, host.dhtPrefix, held?.range)
  const { engine } = held!
  const terms = readTerms(first.metadata, engine.info.maxLength)
  checkAdapter(first.metadata, host.adapters)
  const batch = checkBatch(first.batch, engine)
  const { sessionId, maxLength, allocTimeoutMs } = terms
  const peer = call.remote
  const origin = host.originOf(peer)
  const close = table.add({ peer, origin, sessionId, push: (arrival) => arrivals.push(arrival) })
  const reclaimed = new AbortController()
  try {
    const signal = AbortSignal.any([arrivals.left, wall, reclaimed.signal])
    const onReclaimed = (): void => reclaimed.abort()
    const owner = { owner: peer, origin }
    const room = { ...blocks, batch, maxLength, timeoutMs: allocTimeoutMs, ...owner, onReclaimed, signal }
    await using cache = await engine.openCache(room).catch((error: unknown) => {
      throw asServedError(error, allocTimeoutMs)
    })
    const info = { kind: 'inference', peer, blocks, batch, maxLength, openedAt: Date.now() } as const
    await runSession(call, { first: first.metadata, blocks, engine, cache, info, signal, arrivals }, services)
  } catch (error) {
    // Another client needs its room more: it ends as one that was silent for too long.
    if (!reclaimed.signal.aborted) throw error
  } finally {
    close()
  }
}

async function runSession(call: ServedCall, session: Opened, services: InferenceServices): Promise<void> {
  const { observer } = services.host
  const seen = new RecentIds()
  observer.opened(session.info)
  try {
    let position: number | undefined = 0
    while (position !== undefined) position = await answerNext(call, { position, seen }, session, services)
  } finally {
    observer.closed(session.info)
  }
}

/**
 * Answers the next request, unless it is a step that has arrived before, and returns the position after it; undefined at the end
 * of the session. A function of its own, so that no request stays in memory while the next one is waited for.
 */
async function answerNext(
  call: ServedCall,
  { position, seen }: { readonly position: number; readonly seen: RecentIds },
  session: Opened,
  services: InferenceServices,
): Promise<number | undefined> {
  const { arrivals, signal } = session
  const arrival = await arrivals.next(services.host.limits.stepTimeoutMs, signal)
  if (!arrival) return undefined
  try {
    signal.throwIfAborted()
    if (arrival.request.tensors.length === 0) return undefined
    const stepId = readStepId(arrival.metadata)
    if (stepId !== undefined && !seen.add(stepId)) return position
    return await answerStep(call, arrival, position, session, services)
  } finally {
    arrival.release()
  }
}

/** Runs one step, answers it, and returns the position after it. */
async function answerStep(
  call: ServedCall,
  arrival: Arrival,
  before: number,
  session: Opened,
  { host, push }: InferenceServices,
): Promise<number> {
  const { cache, engine, blocks, info, signal } = session
  const position = readPosition(arrival.metadata, before)
  const { rest, ...step } = readStep(arrival, position, session)
  const { batch, tokens } = step
  const startedAt = performance.now()
  const outputs =
    tokens === 0
      ? new Float32Array(0)
      : await cache.step({ ...blocks, ...step, position, signal }).catch((error: unknown) => {
          signal.throwIfAborted()
          throw asServedError(error)
        })
  const { hiddenSize, dtype } = engine.info
  const tensor = encodeTensor(floatTensor(outputs, [batch, tokens, hiddenSize], dtype))
  if (!step.prompts) push([tensor, ...rest], session.first, arrival.metadata)
  host.observer.computed(info, batch * tokens, performance.now() - startedAt)
  await call.respond(encodeExpertResponse({ tensors: [tensor], metadata: new Uint8Array(0) }))
  return position + tokens
}

function readStep({ request }: Arrival, position: number, { first, blocks, engine, info }: Opened) {
  const [hidden, prompts, hypo] = orderedTensors(request.tensors, first.get('args_structure'))
  if (!hidden || !prompts || !hypo) throw missingTensors(request.tensors.length)
  const hypoIds = readHypoIds(hypo, info.batch)
  const tokens = hidden.size[1] ?? 0
  if (position + tokens > info.maxLength) {
    const what = `prefix ${position} + current ${tokens} exceeds pre-allocated maximum ${info.maxLength}`
    throw new ServedError('ValueError', `Maximum length exceeded: ${what}`)
  }
  const states = readStates(hidden, engine.info, info.batch)
  const deep = readPrompts(prompts, rangeLength(blocks), states, engine.info)
  return {
    batch: states.batch,
    tokens: states.tokens,
    states: states.values,
    /** Copies: a push outlives the request. */
    rest: deep
      ? []
      : [prompts, hypo].map((tensor) => ({ ...tensor, buffer: Uint8Array.from(tensor.buffer) })),
    ...(deep ? { prompts: deep } : {}),
    ...(hypoIds ? { hypoIds } : {}),
  }
}

function checkBatch(batch: number, { info }: BlockEngine): number {
  if (batch >= 1 && batch <= info.maxBatchTokens) return batch
  throw new ServedError(
    'ValueError',
    `Task size greater than max_batch_size (${info.maxBatchTokens}), it can't be processed`,
  )
}

const missingTensors = (got: number): ServedError =>
  new ServedError('ValueError', `not enough values to unpack (expected at least 3, got ${got})`)
