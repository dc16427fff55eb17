import type { ErrorBody, LegacyErrorBody } from '@petals-chat/api'
import {
  CapacityError,
  EngineError,
  type EngineErrorCode,
  GenerationFailedError,
  InvalidRequestError,
  ModelUnavailableError,
} from '@petals-chat/engine'
import { GatewayError, type GatewayErrorCode } from './errors.ts'
import { withoutFolders } from './without-folders.ts'

export type ErrorCode = EngineErrorCode | GatewayErrorCode | 'internal_error'

/** How one kind of error is answered. */
export interface ErrorForm {
  readonly status: 400 | 403 | 404 | 405 | 409 | 413 | 415 | 429 | 499 | 500 | 502 | 503
  /** `error.type` of the OpenAI body. */
  readonly type: 'invalid_request_error' | 'permission_error' | 'rate_limit_error' | 'server_error'
  /** Words that the original's clients look for in `traceback`. */
  readonly legacyWords?: string | undefined
  /** Milliseconds after which the same request may succeed, where the error does not say. */
  readonly retryAfterMs?: number | undefined
  /** When it happens, for docs/errors.md. */
  readonly meaning: string
}

/** The one table from errors to answers. docs/errors.md is held against it by a test. */
export const errorForms = {
  invalid_request: {
    status: 400,
    type: 'invalid_request_error',
    meaning:
      'A parameter is missing, of the wrong kind or out of range, or the model cannot do what was asked.',
  },
  context_length_exceeded: {
    status: 400,
    type: 'invalid_request_error',
    legacyWords: 'Maximum length exceeded',
    meaning: 'Prompt and answer together are longer than the session or the model allows.',
  },
  model_not_found: {
    status: 404,
    type: 'invalid_request_error',
    meaning: 'No model of this server has that name.',
  },
  capacity: {
    status: 429,
    type: 'rate_limit_error',
    legacyWords: "Server's attention cache is full",
    meaning: 'All sessions are in use and the queue is full, or the wait took too long.',
  },
  model_unavailable: {
    status: 503,
    type: 'server_error',
    retryAfterMs: 10_000,
    meaning: 'The model cannot answer now: it could not be fetched or loaded, or its engine is down.',
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
    meaning: 'The engine began an answer and could not finish it.',
  },
  bad_request: { status: 400, type: 'invalid_request_error', meaning: 'The request is not well-formed.' },
  unknown_url: { status: 404, type: 'invalid_request_error', meaning: 'Nothing is served at that path.' },
  method_not_allowed: {
    status: 405,
    type: 'invalid_request_error',
    meaning: 'The path does not take that method.',
  },
  request_too_large: {
    status: 413,
    type: 'invalid_request_error',
    meaning: 'The body or message is longer than `server.maxBodyBytes`.',
  },
  unsupported_media_type: {
    status: 415,
    type: 'invalid_request_error',
    meaning:
      'The body is in a coding or charset that this server does not know, or, on /api/v1, neither JSON nor a form.',
  },
  forbidden_host: {
    status: 403,
    type: 'permission_error',
    meaning: 'The Host header names a server that this one is not (`server.trustedHosts`).',
  },
  forbidden_origin: {
    status: 403,
    type: 'permission_error',
    meaning: 'A page of another origin asked, and `server.cors` does not let it in.',
  },
  model_restricted: {
    status: 403,
    type: 'permission_error',
    meaning: "The model's licence allows it only on pages of this server (`publicApi: false`).",
  },
  session_expired: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'No message came on an open inference session for `server.stepTimeoutMs`.',
  },
  answer_gone: {
    status: 404,
    type: 'invalid_request_error',
    legacyWords: 'Session has expired',
    meaning:
      'A resumable answer is not kept any more, was stopped because nobody read it, or never was (`server.answers`).',
  },
  answer_cancelled: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'The last event of a resumable answer that was stopped by `cancel`.',
  },
  shutting_down: {
    status: 503,
    type: 'server_error',
    retryAfterMs: 5_000,
    meaning: 'The server stops and the time for running answers is over.',
  },
  client_gone: {
    status: 499,
    type: 'server_error',
    meaning: 'The client closed the connection. Only ever seen in logs.',
  },
  internal_error: {
    status: 500,
    type: 'server_error',
    meaning:
      'A fault of this program. The message gives the request id; the details are in the log under it.',
  },
} as const satisfies Record<ErrorCode, ErrorForm>

/** An error in the words of a response. */
export interface ErrorDescription {
  readonly status: ErrorForm['status']
  readonly type: ErrorForm['type']
  readonly code: string
  readonly param: string | null
  readonly message: string
  /** `message`, with the words in it that the original's clients look for. */
  readonly legacyMessage: string
  readonly retryAfterMs: number | undefined
  /** False for faults that only the log may see. */
  readonly expected: boolean
}

/** Says how `error` is answered. Of an unknown error, nothing but the request id leaves the server. */
export function describeError(error: unknown, requestId: string): ErrorDescription {
  const known = error instanceof EngineError || error instanceof GatewayError
  const code = known ? error.code : 'internal_error'
  const message = known
    ? clientMessage(error)
    : `Something went wrong in this server. Its log has the details under request id ${requestId}.`
  const form: ErrorForm = errorForms[code]
  return {
    status: form.status,
    type: form.type,
    code: (error instanceof InvalidRequestError && error.reason) || code,
    param: paramOf(error, code),
    message,
    legacyMessage: withLegacyWords(message, form.legacyWords),
    retryAfterMs: error instanceof CapacityError ? error.retryAfterMs : form.retryAfterMs,
    expected: known,
  }
}

/** What an engine says of its files has their paths; what the gateway says speaks of the request. */
const clientMessage = (error: EngineError | GatewayError): string =>
  error instanceof ModelUnavailableError || error instanceof GenerationFailedError
    ? withoutFolders(error.message)
    : error.message

export function openAIErrorBody({ message, type, param, code }: ErrorDescription): ErrorBody {
  return { error: { message, type, param, code } }
}

export function legacyErrorBody({ legacyMessage }: ErrorDescription): LegacyErrorBody {
  return { ok: false, traceback: legacyMessage }
}

/** When to come again: in whole seconds for everybody, in milliseconds for OpenAI's clients. */
export function retryHeaders({ retryAfterMs }: ErrorDescription): Record<string, string> {
  if (retryAfterMs === undefined) return {}
  return {
    'retry-after': String(Math.ceil(retryAfterMs / 1000)),
    'retry-after-ms': String(Math.ceil(retryAfterMs)),
  }
}

function paramOf(error: unknown, code: ErrorCode): string | null {
  if (error instanceof InvalidRequestError) return error.param ?? null
  return code === 'model_not_found' ? 'model' : null
}

function withLegacyWords(message: string, words: string | undefined): string {
  if (words === undefined || message.includes(words)) return message
  return `${words}: ${message}`
}
