import type { AnthropicErrorBody, ErrorBody, LegacyErrorBody, OllamaErrorBody } from '@petals-chat/api'
import {
  CapacityError,
  EngineError,
  type EngineErrorCode,
  GenerationFailedError,
  InvalidRequestError,
  type Logger,
  ModelUnavailableError,
} from '@petals-chat/engine'
import { GatewayError, type GatewayErrorCode, RateLimitError } from './errors.ts'
import { isUnusableFile, keysUnavailable } from './unusable-file.ts'
import { withoutFolders } from './without-folders.ts'

export type ErrorCode = EngineErrorCode | GatewayErrorCode | 'internal_error'

/** The response to one kind of error. */
export interface ErrorForm {
  readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 415 | 429 | 431 | 499 | 500 | 502 | 503
  /** `error.type` of the OpenAI body. */
  readonly type: 'invalid_request_error' | 'permission_error' | 'rate_limit_error' | 'server_error'
  /** Words that clients of the original search for in `traceback`. */
  readonly legacyWords?: string | undefined
  /** Milliseconds after which the same request may succeed, unless the error has its own value. */
  readonly retryAfterMs?: number | undefined
  /** When the error happens, for docs/errors.md. */
  readonly meaning: string
}

/** The only table from errors to responses. A test compares docs/errors.md with it. */
export const errorForms = {
  invalid_request: {
    status: 400,
    type: 'invalid_request_error',
    meaning:
      'A parameter is missing, has the wrong type or is out of range, or the model does not support the request.',
  },
  context_length_exceeded: {
    status: 400,
    type: 'invalid_request_error',
    legacyWords: 'Maximum length exceeded',
    meaning: 'The prompt and the answer together are longer than the session or the model allows.',
  },
  model_not_found: {
    status: 404,
    type: 'invalid_request_error',
    meaning: 'This server has no model of that name.',
  },
  capacity: {
    status: 429,
    type: 'rate_limit_error',
    legacyWords: "Server's attention cache is full",
    meaning:
      'All sessions are in use and the queue is full, the wait took too long, too many bodies are in flight (`server.maxBufferedBytes`), or the other server that runs the model is busy.',
  },
  model_unavailable: {
    status: 503,
    type: 'server_error',
    retryAfterMs: 10_000,
    meaning:
      'The model cannot answer now: it could not be downloaded or loaded, its engine is down, or the other server that runs it cannot be used.',
  },
  missing_blocks: {
    status: 503,
    type: 'server_error',
    retryAfterMs: 60_000,
    meaning:
      "No server of the swarm that holds some of the model's blocks is online, or answered within `swarm.waitTimeoutMs`.",
  },
  generation_failed: {
    status: 502,
    type: 'server_error',
    meaning: 'The engine started an answer and could not finish it.',
  },
  bad_request: { status: 400, type: 'invalid_request_error', meaning: 'The request is not well-formed.' },
  unknown_url: { status: 404, type: 'invalid_request_error', meaning: 'Nothing is served at that path.' },
  method_not_allowed: {
    status: 405,
    type: 'invalid_request_error',
    meaning: 'The path does not support that method.',
  },
  request_too_large: {
    status: 413,
    type: 'invalid_request_error',
    meaning: 'The body or message is longer than `server.maxBodyBytes`.',
  },
  request_timeout: {
    status: 408,
    type: 'invalid_request_error',
    meaning: 'The headers or the body came too slowly, or not to their end.',
  },
  headers_too_large: {
    status: 431,
    type: 'invalid_request_error',
    meaning: 'The headers are longer than 16 kB.',
  },
  unsupported_media_type: {
    status: 415,
    type: 'invalid_request_error',
    meaning:
      'The body has a content coding or charset that this server does not support, or, on /api/v1, is neither JSON nor a form.',
  },
  forbidden_host: {
    status: 403,
    type: 'permission_error',
    meaning: 'The Host header has a name that this server does not accept (`server.trustedHosts`).',
  },
  forbidden_origin: {
    status: 403,
    type: 'permission_error',
    meaning: 'A page of another origin sent the request, and `server.cors` does not allow it.',
  },
  model_restricted: {
    status: 403,
    type: 'permission_error',
    meaning: "The model's licence allows it only on pages of this server (`publicApi: false`).",
  },
  authentication_required: {
    status: 401,
    type: 'invalid_request_error',
    meaning: 'The server asks for an API key or a sign-in, and the request has neither.',
  },
  invalid_api_key: {
    status: 401,
    type: 'invalid_request_error',
    meaning: 'The API key is unknown, has expired or was revoked; or the request has two different ones.',
  },
  scope_required: {
    status: 403,
    type: 'permission_error',
    meaning: 'The key or the user has no scope for this route (`petals-chat keys create --scopes`).',
  },
  access_revoked: {
    status: 401,
    type: 'invalid_request_error',
    meaning: 'The key was revoked or expired, or the user signed out, while the answer was being written.',
  },
  unknown_key: {
    status: 404,
    type: 'invalid_request_error',
    meaning: 'There is no such API key, or another key has made it.',
  },
  keys_unavailable: {
    status: 503,
    type: 'server_error',
    retryAfterMs: 5_000,
    meaning:
      "The file of API keys and usage can't be used now: it is gone, damaged or locked, or its disk is full.",
  },
  rate_limit_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    meaning:
      'The key or the address has used what `server.limits`, or its own limits, allow for now, or has too much open (`server.maxConnectionsPerClient`, `server.maxWebSocketsPerClient`, `server.responses` in the background).',
  },
  session_expired: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'An open inference session received no message for `server.stepTimeoutMs`.',
  },
  answer_gone: {
    status: 404,
    type: 'invalid_request_error',
    legacyWords: 'Session has expired',
    meaning:
      'A resumable answer is no longer kept, was stopped because no client read it, or never existed (`server.answers`); or the events of a response in the background are no longer kept (`server.responses`).',
  },
  answer_cancelled: {
    status: 409,
    type: 'invalid_request_error',
    meaning: '`cancel` stopped the resumable answer or the response: this is its last event.',
  },
  response_not_found: {
    status: 404,
    type: 'invalid_request_error',
    meaning:
      'A response of /v1/responses is not kept, or no longer, or another caller made it (`server.responses`).',
  },
  approval_used: {
    status: 409,
    type: 'invalid_request_error',
    meaning:
      'The call of this approval was begun by another response, and what became of it is not known (/v1/responses).',
  },
  unknown_tool: {
    status: 404,
    type: 'invalid_request_error',
    meaning: 'There is no such tool, or its MCP server can’t be reached now (`tools` of the configuration).',
  },
  tool_changed: {
    status: 409,
    type: 'invalid_request_error',
    meaning:
      'The tool has another `version` than the call names: its server has changed it since it was listed. It was not called.',
  },
  shutting_down: {
    status: 503,
    type: 'server_error',
    retryAfterMs: 5_000,
    meaning: 'The server is shutting down, and the time for running answers is over.',
  },
  client_gone: {
    status: 499,
    type: 'server_error',
    meaning: 'The client closed the connection. Appears only in logs.',
  },
  internal_error: {
    status: 500,
    type: 'server_error',
    meaning: 'A fault of this program. The message has the request id, under which the log has the details.',
  },
} as const satisfies Record<ErrorCode, ErrorForm>

/** An error as a response describes it. */
export interface ErrorDescription {
  readonly status: ErrorForm['status']
  readonly type: ErrorForm['type']
  readonly code: string
  readonly param: string | null
  readonly message: string
  /** `message`, with the words that clients of the original search for. */
  readonly legacyMessage: string
  readonly retryAfterMs: number | undefined
  /** False for unknown errors, whose details only the log may have. */
  readonly expected: boolean
}

/** Describes the response to a thrown error. The response to an unknown error has nothing but the request id. */
export function describeError(thrown: unknown, requestId: string): ErrorDescription {
  const error = isUnusableFile(thrown) ? keysUnavailable() : thrown
  const known = error instanceof EngineError || error instanceof GatewayError
  const code = known ? error.code : 'internal_error'
  const message = known
    ? clientMessage(error)
    : `An unexpected error happened in this server. Its log has the details under request id ${requestId}.`
  const form: ErrorForm = errorForms[code]
  return {
    status: form.status,
    type: form.type,
    code: (error instanceof InvalidRequestError && error.reason) || code,
    param: paramOf(error, code),
    message,
    legacyMessage: withLegacyWords(message, form.legacyWords),
    retryAfterMs: retryTime(error) ?? form.retryAfterMs,
    expected: known,
  }
}

/** Messages of engines may name files with their folders; messages of the gateway describe the request. */
const clientMessage = (error: EngineError | GatewayError): string =>
  error instanceof ModelUnavailableError || error instanceof GenerationFailedError
    ? withoutFolders(error.message)
    : error.message

/** Returns the error that counts. Aborted work fails in many ways; only the reason of the abort explains it. */
export const errorThatCounts = (thrown: unknown, signal: AbortSignal | undefined): unknown =>
  signal?.aborted ? signal.reason : thrown

/**
 * Describes an error, and logs the details that must not leave the server.
 * @param title the log line of an unexpected error.
 */
export function describeAndLogError(
  error: unknown,
  { requestId, logger }: { readonly requestId: string; readonly logger: Logger },
  title: string,
): ErrorDescription {
  const description = describeError(error, requestId)
  if (!description.expected) logger.error({ err: error }, title)
  else if (description.status >= 500) logger.warn({ err: error }, description.message)
  return description
}

export function openAIErrorBody({ message, type, param, code }: ErrorDescription): ErrorBody {
  return { error: { message, type, param, code } }
}

const anthropicTypes: Readonly<Partial<Record<ErrorForm['status'], AnthropicErrorBody['error']['type']>>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  502: 'api_error',
  503: 'overloaded_error',
}

/** Tells the tool runners of Anthropic's clients to go on with the whole dialogue in each request. */
const unthreaded = { error_code: 'thread_unsupported_request', unsupported: ['thread'] } as const

export function anthropicErrorBody(
  { status, message, param }: ErrorDescription,
  requestId: string,
): AnthropicErrorBody {
  const type = anthropicTypes[status] ?? 'invalid_request_error'
  const details = param === 'thread' ? { details: unthreaded } : {}
  return { type: 'error', error: { type, message, ...details }, request_id: requestId }
}

export function ollamaErrorBody({ message }: Pick<ErrorDescription, 'message'>): OllamaErrorBody {
  return { error: message }
}

export function legacyErrorBody({ legacyMessage }: ErrorDescription): LegacyErrorBody {
  return { ok: false, traceback: legacyMessage }
}

/** Returns the headers that go with an error: when to retry, and how to authenticate. */
export const errorHeaders = (description: ErrorDescription): Record<string, string> => ({
  ...retryHeaders(description),
  ...(description.status === 401 && { 'www-authenticate': 'Bearer realm="petals-chat"' }),
})

/** OpenAI's clients wait no longer than this, and would retry sooner in vain. */
const LONGEST_WAIT_OF_CLIENTS_MS = 60_000

/**
 * Returns when to retry: in whole seconds for all clients, and in milliseconds for OpenAI's, which also learn that they
 * should not retry by themselves if that is too far away.
 */
export function retryHeaders({ retryAfterMs }: ErrorDescription): Record<string, string> {
  if (retryAfterMs === undefined) return {}
  return {
    'retry-after': String(Math.ceil(retryAfterMs / 1000)),
    'retry-after-ms': String(Math.ceil(retryAfterMs)),
    ...(retryAfterMs > LONGEST_WAIT_OF_CLIENTS_MS && { 'x-should-retry': 'false' }),
  }
}

const retryTime = (error: unknown): number | undefined =>
  error instanceof CapacityError || error instanceof RateLimitError || error instanceof ModelUnavailableError
    ? error.retryAfterMs
    : undefined

function paramOf(error: unknown, code: ErrorCode): string | null {
  if (error instanceof InvalidRequestError) return error.param ?? null
  return code === 'model_not_found' ? 'model' : null
}

function withLegacyWords(message: string, words: string | undefined): string {
  if (words === undefined || message.includes(words)) return message
  return `${words}: ${message}`
}
