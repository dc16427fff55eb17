import { type AnswerChunk, type AnswerPosition, parseAnswerChunk } from './answer-chunk.ts'
import { type ChatRequest, chatRequestBody } from './chat-request.ts'
import { ApiError, apiErrorFromResponse, toApiError } from './errors.ts'
import { readEvents } from './sse.ts'

export interface AnswerStreamOptions {
  /** Drops the connection. An answer that the server keeps goes on: see `cancel`. */
  readonly signal: AbortSignal
  /** The server has taken the request; its id, where it keeps the answer. */
  readonly onOpen?: (answerId: string | undefined) => void
}

/** How the page asks for answers. Streams end when the answer is complete; one that breaks off is an error. */
export interface AnswerClient {
  /** @throws ApiError */
  request(request: ChatRequest, options: AnswerStreamOptions): AsyncIterable<AnswerChunk>
  /** What comes after `position` of an answer that was cut. @throws ApiError, with the code `answer_gone` if it is lost. */
  resume(position: AnswerPosition, options: AnswerStreamOptions): AsyncIterable<AnswerChunk>
  /** Stops an answer that the server keeps. */
  cancel(answerId: string): Promise<void>
  /** Tells the server that it need not keep an answer any more. */
  forget(answerId: string): Promise<void>
}

/** The server sends a ping every 15 s: three that are missing mean that the connection is dead, as after a sleep. */
const STALL_TIMEOUT_MS = 45_000

/** Addresses are relative to the page: it may stand below any path of a proxy. */
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
    // `keepalive`: also when the page is being closed.
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

/** The chunks of a running answer, from the bytes of its stream. @throws ApiError */
export async function* readAnswer(body: ReadableStream<Uint8Array>): AsyncGenerator<AnswerChunk> {
  for await (const event of readEvents(body, { stallTimeoutMs: STALL_TIMEOUT_MS })) {
    if (event.data === '[DONE]') return
    yield parseAnswerChunk(event)
  }
  throw new ApiError({ kind: 'network', message: '' })
}

/** Whatever refuses to give the rest of an answer has lost it. */
function lostAnswer(cause: unknown): unknown {
  if (!(cause instanceof ApiError)) return cause
  const { status } = cause.details
  const refused = status === 404 || status === 400
  return refused ? new ApiError({ ...cause.details, code: 'answer_gone' }, { cause }) : cause
}

/** Calls back when a connection can't be made or breaks: the server may be gone. */
export function tellingCuts(client: AnswerClient, onCut: () => void): AnswerClient {
  async function* watched<T>(chunks: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
    try {
      yield* chunks
    } catch (cause) {
      // What the page itself has ended says nothing of the server.
      if (!signal.aborted && toApiError(cause).details.kind === 'network') onCut()
      throw cause
    }
  }
  return {
    ...client,
    request: (request, options) => watched(client.request(request, options), options.signal),
    resume: (position, options) => watched(client.resume(position, options), options.signal),
  }
}
