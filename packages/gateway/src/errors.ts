/** Failures of the gateway itself, outside an engine. */
export type GatewayErrorCode =
  | 'bad_request'
  | 'unknown_url'
  | 'method_not_allowed'
  | 'request_too_large'
  | 'request_timeout'
  | 'headers_too_large'
  | 'unsupported_media_type'
  | 'forbidden_host'
  | 'forbidden_origin'
  | 'model_restricted'
  | 'authentication_required'
  | 'invalid_api_key'
  | 'scope_required'
  | 'access_revoked'
  | 'unknown_key'
  | 'keys_unavailable'
  | 'rate_limit_exceeded'
  | 'session_expired'
  | 'answer_gone'
  | 'answer_cancelled'
  | 'response_not_found'
  | 'approval_used'
  | 'unknown_tool'
  | 'tool_changed'
  | 'shutting_down'
  | 'client_gone'

/** The message says what was wrong, where, and how to fix it; it is safe to send to a client. */
export class GatewayError extends Error {
  override readonly name: string = 'GatewayError'
  readonly code: GatewayErrorCode

  constructor(code: GatewayErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The request has no credential, or one that does not count. */
export class AuthenticationError extends GatewayError {
  override readonly name: string = 'AuthenticationError'

  constructor(code: 'authentication_required' | 'invalid_api_key' | 'access_revoked', message: string) {
    super(code, message)
  }
}

/** The caller's key was revoked or expired, or the caller signed out, while a request ran. */
export class AccessRevokedError extends AuthenticationError {
  override readonly name = 'AccessRevokedError'

  /** `what`: a sentence that says what happened to the access. `advice`: one that says what to do. */
  constructor(what = 'The API key was revoked.', advice = 'Ask the operator of this server for a new one.') {
    super('access_revoked', `${what} ${advice}`)
  }
}

/** The caller has used what it may use for now. */
export class RateLimitError extends GatewayError {
  override readonly name = 'RateLimitError'
  /** Milliseconds until the caller may go on. */
  readonly retryAfterMs: number

  constructor(message: string, retryAfterMs: number) {
    super('rate_limit_exceeded', message)
    this.retryAfterMs = retryAfterMs
  }
}

/** The server is stopping. A client that retries soon reaches it, or another one, when it is ready. */
export class ShuttingDownError extends GatewayError {
  override readonly name = 'ShuttingDownError'

  constructor() {
    super('shutting_down', 'This server is shutting down. Send the request again in a moment.')
  }
}

/** The client closed its connection: an answer would have no reader. */
export class ClientGoneError extends GatewayError {
  override readonly name = 'ClientGoneError'
  /** The client ended the session itself; false where the connection may just have been cut. */
  readonly isNormalClose: boolean

  constructor({ isNormalClose = false }: { readonly isNormalClose?: boolean } = {}) {
    super('client_gone', 'The client closed the connection.')
    this.isNormalClose = isNormalClose
  }
}

/** A resumable answer, or a part of it, is no longer kept. */
export class AnswerGoneError extends GatewayError {
  override readonly name = 'AnswerGoneError'

  /** `what`: a sentence that says what happened to it. */
  constructor(what: string) {
    super(
      'answer_gone',
      `${what} Send the request again; to continue from the part that you have, put it at the end ` +
        '(chat: with continue_final_message).',
    )
  }
}

/** A client that knows the answer's id stopped it. */
export class AnswerCancelledError extends GatewayError {
  override readonly name = 'AnswerCancelledError'

  constructor() {
    super('answer_cancelled', 'The answer was stopped on request. No further text follows.')
  }
}
