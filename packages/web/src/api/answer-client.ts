import { type AnswerChunk, type AnswerPosition, parseAnswerChunk } from './answer-chunk.ts'
import { type ChatRequest, chatRequestBody } from './chat-request.ts'
import { ApiError, type ApiErrorDetails, apiErrorFromResponse, toApiError } from './errors.ts'
import { readEvents } from './sse.ts'

export interface AnswerStreamOptions {
  /** Drops the connection. An answer that the server keeps goes on: see `cancel`. */
  readonly signal: AbortSignal
  /** Called when the server accepts the request; with an id if it keeps the answer. */
  readonly onOpen?: (answerId: string | undefined) => void
}

/** How the page requests answers. A stream ends when the answer is complete; a stream that breaks off throws. */
export interface AnswerClient {
  /** @throws ApiError */
  request(request: ChatRequest, options: AnswerStreamOptions): AsyncIterable<AnswerChunk>
  /**
   * Streams what follows `position` of an interrupted answer. @throws ApiError, with the code `answer_gone` if it is
   * lost.
   */
  resume(position: AnswerPosition, options: AnswerStreamOptions): AsyncIterable<AnswerChunk>
  /** Stops an answer that the server keeps. */
  cancel(answerId: string): Promise<void>
  /** Tells the server that it no longer needs to keep an answer. */
  forget(answerId: string): Promise<void>
}

/** The server sends a ping every 15 s. Three missing pings mean that the connection is dead, as after a sleep. */
const STALL_TIMEOUT_MS = 45_000

/** Addresses are relative to the page, which a proxy may serve below any path. */
export const answerClient: AnswerClient = {
  request: (request, options) =>
    stream('v1/chat/completions', options, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify(chatRequestBody(request)),
    }),

  async *resume({ answerId, eventId }, options) {
    try {
      yield* stream(`${answerPath(answerId)}/stream`, options, {
        headers: { accept: 'text/event-stream', 'last-event-id': eventId },
      })
    } catch (cause) {
      throw lostAnswer(cause)
    }
  },

  async cancel(answerId) {
    // `keepalive`: the request survives the closing of the page.
    await fetch(`${answerPath(answerId)}/cancel`, { method: 'POST', keepalive: true })
  },

  async forget(answerId) {
    await fetch(answerPath(answerId), { method: 'DELETE', keepalive: true })
  },
}

function answerPath(answerId: string): string {
  return `v1/answers/${encodeURIComponent(answerId)}`
}

async function* stream(
  path: string,
  { signal, onOpen }: AnswerStreamOptions,
  init: RequestInit,
): AsyncGenerator<AnswerChunk> {
  try {
    const response = await fetch(path, { ...init, cache: 'no-store', signal })
    if (!response.ok) throw await apiErrorFromResponse(response)
    onOpen?.(response.headers.get('x-answer-id') ?? undefined)
    if (response.status === 204) return
    if (!response.body) throw new ApiError({ kind: 'server', message: 'The server sent an empty answer.' })
    yield* readAnswer(response.body)
  } catch (cause) {
    throw toApiError(cause)
  }
}

/** Yields the chunks of an answer from the bytes of its stream. @throws ApiError */
export async function* readAnswer(body: ReadableStream<Uint8Array>): AsyncGenerator<AnswerChunk> {
  for await (const event of readEvents(body, { stallTimeoutMs: STALL_TIMEOUT_MS })) {
    if (event.data === '[DONE]') return
    yield parseAnswerChunk(event)
  }
  throw new ApiError({ kind: 'network', message: '' })
}

/** A server that refuses to send the rest of an answer has lost it. */
function lostAnswer(cause: unknown): unknown {
  if (!(cause instanceof ApiError)) return cause
  const { status } = cause.details
  const refused = status === 404 || status === 400
  return refused ? new ApiError({ ...cause.details, code: 'answer_gone' }, { cause }) : cause
}

/** Wraps a client; calls back with each failure, since the server may be gone, or the reader signed out. */
export function reportingErrors(
  client: AnswerClient,
  onError: (error: ApiErrorDetails) => void,
): AnswerClient {
  async function* watched<T>(chunks: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
    try {
      yield* chunks
    } catch (cause) {
      // A request that the page itself aborted says nothing about the server.
      if (!signal.aborted) onError(toApiError(cause).details)
      throw cause
    }
  }
  return {
    ...client,
    request: (request, options) => watched(client.request(request, options), options.signal),
    resume: (position, options) => watched(client.resume(position, options), options.signal),
  }
}
