import type { ChatChunk, ErrorBody, TimingsBody, UsageBody } from '@petals-chat/api'
import { ApiError, apiErrorFromBody } from './errors.ts'
import { count, isRecord, records, type Untrusted } from './read-json.ts'
import {
  parsePlace,
  parseRoute,
  parseStandIn,
  parseWaiting,
  type RouteReport,
  type StandIn,
  type SwarmWait,
} from './route-report.ts'
import type { ServerSentEvent } from './sse.ts'

/** `tool_calls`: the answer goes on with the results of its calls. */
export type FinishReason = 'stop' | 'length' | 'tool_calls'

/** A part of a call of a tool, in the order in which the model writes it. */
export interface ToolCallPart {
  /** Number of the call in this answer, from 0. */
  readonly index: number
  readonly id: string | undefined
  readonly name: string
  readonly arguments: string
}

export interface AnswerUsage {
  readonly promptTokens: number | undefined
  readonly cachedTokens: number | undefined
  readonly completionTokens: number | undefined
}

/** From the server's `timings`, where it sends them. */
export interface AnswerTimings {
  readonly timeToFirstTokenMs: number | undefined
  readonly tokensPerSecond: number | undefined
}

/** A position in a stream, to resume it after the connection broke. */
export interface AnswerPosition {
  readonly answerId: string
  /** The id of the last event that arrived. */
  readonly eventId: string
}

/**
 * The content of one event of a stream. Text and position come together: a caller that stores both at once can resume
 * without losing or doubling a token.
 */
export interface AnswerChunk {
  readonly text: string
  readonly reasoning: string
  readonly calls?: readonly ToolCallPart[]
  readonly finishReason?: FinishReason | undefined
  readonly usage?: AnswerUsage | undefined
  readonly timings?: AnswerTimings | undefined
  readonly route?: RouteReport | undefined
  /** The answer waits for servers of a swarm. Null: it continues; undefined: the event does not say. */
  readonly waiting?: SwarmWait | null | undefined
  /** Its place in the queue, from 1. Null: its turn has come; undefined: the event does not say. */
  readonly place?: number | null | undefined
  readonly standIn?: StandIn | undefined
  /** Undefined if the server does not keep the answer. */
  readonly position?: AnswerPosition | undefined
}

/** @throws ApiError if the event says that the answer failed, or is not JSON. */
export function parseAnswerChunk(event: ServerSentEvent): AnswerChunk {
  const body = parseJson(event.data)
  if (!isRecord(body)) return { text: '', reasoning: '' }
  const { error, choices, usage, timings, petals, model }: Untrusted<ChatChunk & ErrorBody> = body
  if (event.event === 'error' || isRecord(error)) throw apiErrorFromBody(body)
  const choice: Untrusted<ChunkChoice> = records(choices)[0] ?? {}
  const delta: Untrusted<ChunkChoice['delta']> = isRecord(choice.delta) ? choice.delta : {}
  return {
    text: string(delta.content),
    reasoning: string(delta.reasoning_content),
    ...callsOf(delta.tool_calls),
    finishReason: parseFinishReason(choice.finish_reason),
    usage: isRecord(usage) ? parseUsage(usage) : undefined,
    timings: isRecord(timings) ? parseTimings(timings) : undefined,
    route: parseRoute(petals),
    waiting: parseWaiting(petals),
    place: parsePlace(petals),
    standIn: parseStandIn(petals, model),
    position: parsePosition(event.id),
  }
}

function callsOf(value: unknown): Pick<AnswerChunk, 'calls'> {
  const parts = records(value)
  return parts.length === 0 ? {} : { calls: parts.map(parseCallPart) }
}

type CallDelta = NonNullable<ChunkChoice['delta']['tool_calls']>[number]

function parseCallPart(part: Untrusted<CallDelta>, position: number): ToolCallPart {
  const given: Untrusted<CallDelta['function']> = isRecord(part.function) ? part.function : {}
  return {
    index: count(part.index) ?? position,
    id: typeof part.id === 'string' && part.id !== '' ? part.id : undefined,
    name: string(given.name),
    arguments: string(given.arguments),
  }
}

type ChunkChoice = ChatChunk['choices'][number]

/** Ids of events are `<id of the answer>:<number>`. */
function parsePosition(eventId: string | undefined): AnswerPosition | undefined {
  const colon = eventId?.lastIndexOf(':') ?? -1
  return eventId !== undefined && colon > 0 ? { answerId: eventId.slice(0, colon), eventId } : undefined
}

function parseFinishReason(reason: unknown): FinishReason | undefined {
  if (typeof reason !== 'string') return undefined
  return reason === 'length' || reason === 'tool_calls' ? reason : 'stop'
}

function parseUsage(usage: Untrusted<UsageBody>): AnswerUsage {
  const { prompt_tokens_details: given } = usage
  const details: Untrusted<UsageBody['prompt_tokens_details']> = isRecord(given) ? given : {}
  return {
    promptTokens: count(usage.prompt_tokens),
    cachedTokens: count(details.cached_tokens),
    completionTokens: count(usage.completion_tokens),
  }
}

const parseTimings = (timings: Untrusted<TimingsBody>): AnswerTimings => ({
  timeToFirstTokenMs: count(timings.prompt_ms),
  tokensPerSecond: count(timings.predicted_per_second),
})

function string(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function parseJson(data: string): unknown {
  try {
    return JSON.parse(data) as unknown
  } catch (cause) {
    throw new ApiError({ kind: 'server', message: 'The server sent an event that is not JSON.' }, { cause })
  }
}
