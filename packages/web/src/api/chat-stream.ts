import { ApiError, apiErrorFromBody, apiErrorFromResponse, isRecord, toApiError } from './errors.ts'
import { readEvents, type ServerSentEvent } from './sse.ts'

export interface ChatRequestMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** Body of `POST /v1/chat/completions`, as far as the page uses it. */
export interface ChatRequest {
  readonly model: string
  readonly messages: readonly ChatRequestMessage[]
  readonly temperature?: number | undefined
  readonly top_p?: number | undefined
  readonly top_k?: number | undefined
  readonly min_p?: number | undefined
  readonly repetition_penalty?: number | undefined
  readonly max_tokens?: number | undefined
  readonly seed?: number | undefined
  readonly stop?: readonly string[] | undefined
  /** The last message is an answer to go on with, not a turn to reply to. */
  readonly continue_final_message?: boolean | undefined
  readonly add_generation_prompt?: boolean | undefined
}

export type FinishReason = 'stop' | 'length'

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

export type AnswerEvent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'finish'; readonly reason: FinishReason }
  | { readonly type: 'usage'; readonly usage: AnswerUsage }
  | { readonly type: 'timings'; readonly timings: AnswerTimings }
  /** Where the stream stands, to come back to it after a cut. */
  | { readonly type: 'position'; readonly answerId: string; readonly eventId: string | undefined }

export interface StreamChatOptions {
  readonly signal: AbortSignal
}

/**
 * Asks for an answer and yields it as it is written. Ends after the server's `[DONE]`; a stream that breaks off before
 * is an error, never a short answer.
 * @throws ApiError; what `signal` was aborted with passes through unwrapped.
 */
export async function* streamChat(
  request: ChatRequest,
  options: StreamChatOptions,
): AsyncGenerator<AnswerEvent> {
  const { signal } = options
  try {
    const response = await fetch('/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } }),
      signal,
    })
    if (!response.ok) throw await apiErrorFromResponse(response)
    if (!response.body) throw new ApiError({ kind: 'server', message: 'The server sent an empty answer.' })
    yield* readAnswer(response.body)
  } catch (cause) {
    signal.throwIfAborted()
    throw toApiError(cause)
  }
}

/** The events of a running answer, from the bytes of its stream. @throws ApiError */
export async function* readAnswer(body: ReadableStream<Uint8Array>): AsyncGenerator<AnswerEvent> {
  for await (const event of readEvents(body)) {
    if (event.data === '[DONE]') return
    yield* answerEvents(event)
  }
  throw new ApiError({ kind: 'network', message: '' })
}

function* answerEvents(event: ServerSentEvent): Generator<AnswerEvent> {
  const chunk = parseJson(event.data)
  if (!isRecord(chunk)) return
  if (event.event === 'error' || isRecord(chunk['error'])) throw apiErrorFromBody(chunk)
  if (typeof chunk['id'] === 'string') yield { type: 'position', answerId: chunk['id'], eventId: event.id }
  const choice: unknown = Array.isArray(chunk['choices']) ? chunk['choices'][0] : undefined
  if (isRecord(choice)) yield* choiceEvents(choice)
  if (isRecord(chunk['usage'])) yield { type: 'usage', usage: parseUsage(chunk['usage']) }
  if (isRecord(chunk['timings'])) yield { type: 'timings', timings: parseTimings(chunk['timings']) }
}

function* choiceEvents(choice: Record<string, unknown>): Generator<AnswerEvent> {
  const delta = isRecord(choice['delta']) ? choice['delta'] : {}
  const reasoning = delta['reasoning_content'] ?? delta['reasoning']
  if (typeof reasoning === 'string' && reasoning) yield { type: 'reasoning', text: reasoning }
  if (typeof delta['content'] === 'string' && delta['content']) yield { type: 'text', text: delta['content'] }
  const reason = choice['finish_reason']
  if (typeof reason === 'string') yield { type: 'finish', reason: reason === 'length' ? 'length' : 'stop' }
}

function parseUsage(usage: Record<string, unknown>): AnswerUsage {
  const details = isRecord(usage['prompt_tokens_details']) ? usage['prompt_tokens_details'] : {}
  return {
    promptTokens: count(usage['prompt_tokens']),
    cachedTokens: count(details['cached_tokens']),
    completionTokens: count(usage['completion_tokens']),
  }
}

function parseTimings(timings: Record<string, unknown>): AnswerTimings {
  return {
    timeToFirstTokenMs: count(timings['time_to_first_token_ms']) ?? count(timings['prompt_ms']),
    tokensPerSecond: count(timings['predicted_per_second']) ?? count(timings['tokens_per_second']),
  }
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new ApiError({ kind: 'server', message: 'The server sent an event that is not JSON.' }, { cause })
  }
}
