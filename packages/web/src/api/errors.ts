import type { ErrorBody } from '@petals-chat/api'
import { isRecord, type Untrusted } from './read-json.ts'

/** The kinds of failure that the page treats differently; every failed request is one of them. */
export type ApiErrorKind =
  /** The server could not be reached, or the connection broke. */
  | 'network'
  /** Prompt and answer are longer than the model's context. */
  | 'context-length'
  /** All slots of the server are taken: a later attempt may succeed. */
  | 'capacity'
  /** The reader has used up a limit; `retryAfterMs` says when they can go on. */
  | 'rate-limit'
  /** The reader is not signed in, or not any more. */
  | 'signed-out'
  /** The reader is signed in, and may not do this. */
  | 'forbidden'
  /** The model is not loaded or does not exist. */
  | 'unavailable'
  /** The request has more bytes than the server, or a proxy in front of it, takes. */
  | 'too-large'
  /** The request was refused; a retry won't help. */
  | 'refused'
  /** The server failed while it generated the answer. */
  | 'server'

export interface ApiErrorDetails {
  readonly kind: ApiErrorKind
  /** The server's own message, for a person. Empty for `network`. */
  readonly message: string
  readonly status?: number | undefined
  readonly code?: string | undefined
  readonly requestId?: string | undefined
  /** From `Retry-After`. */
  readonly retryAfterMs?: number | undefined
}

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly details: ApiErrorDetails

  constructor(details: ApiErrorDetails, options?: { readonly cause?: unknown }) {
    super(details.message || details.kind, options)
    this.details = details
  }
}

const kindOfCode: Readonly<Record<string, ApiErrorKind>> = {
  context_length_exceeded: 'context-length',
  capacity: 'capacity',
  rate_limit_exceeded: 'rate-limit',
  insufficient_quota: 'rate-limit',
  authentication_required: 'signed-out',
  invalid_api_key: 'signed-out',
  access_revoked: 'signed-out',
  scope_required: 'forbidden',
  request_too_large: 'too-large',
  keys_unavailable: 'capacity',
  model_not_found: 'unavailable',
  model_unavailable: 'unavailable',
  missing_blocks: 'unavailable',
  generation_failed: 'server',
  shutting_down: 'unavailable',
}

const UNREACHED: ReadonlySet<number | undefined> = new Set([502, 503])

function kindOf(status: number | undefined, code: string | undefined): ApiErrorKind {
  const known = code === undefined ? undefined : kindOfCode[code]
  if (known) return known
  // Without a code, the answer is that of a proxy that does not reach the server.
  if (code === undefined && UNREACHED.has(status)) return 'network'
  if (status === 429) return 'capacity'
  if (status === 413) return 'too-large'
  if (status === 401) return 'signed-out'
  if (status === 503 || status === 404) return 'unavailable'
  if (status !== undefined && status >= 400 && status < 500) return 'refused'
  return 'server'
}

/** Reads an error object in OpenAI's shape, `{ error: { message, code } }`; accepts any other body. */
export function apiErrorFromBody(body: unknown, response?: Response): ApiError {
  const { error: given }: Untrusted<ErrorBody> = isRecord(body) ? body : {}
  const error: Untrusted<ErrorBody['error']> = isRecord(given) ? given : {}
  const code = typeof error.code === 'string' ? error.code : undefined
  const message = typeof error.message === 'string' ? error.message : ''
  const status = response?.status
  return new ApiError({
    kind: kindOf(status, code),
    message,
    status,
    code,
    requestId: response?.headers.get('x-request-id') ?? undefined,
    retryAfterMs: retryAfterMsOf(response?.headers.get('retry-after') ?? ''),
  })
}

/** Reads `Retry-After`: seconds, or a date. */
function retryAfterMsOf(header: string): number | undefined {
  const ms = /^\d+(\.\d+)?$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined
}

export async function apiErrorFromResponse(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => undefined)
  return apiErrorFromBody(body, response)
}

/** Converts any thrown value to an ApiError: an error of `fetch` counts as a broken network. */
export function toApiError(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause
  if (cause instanceof RangeError) return new ApiError({ kind: 'server', message: cause.message }, { cause })
  return new ApiError({ kind: 'network', message: '' }, { cause })
}
