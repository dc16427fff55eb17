/** What goes wrong in the gateway itself, before or beside an engine. */
export type GatewayErrorCode =
  | 'bad_request'
  | 'unknown_url'
  | 'method_not_allowed'
  | 'request_too_large'
  | 'unsupported_media_type'
  | 'forbidden_host'
  | 'forbidden_origin'
  | 'model_restricted'
  | 'session_expired'
  | 'answer_gone'
  | 'answer_cancelled'
  | 'shutting_down'
  | 'client_gone'

/** Its message says what was wrong, where, and what to do; it is safe to show to a client. */
export class GatewayError extends Error {
  override readonly name: string = 'GatewayError'
  readonly code: GatewayErrorCode

  constructor(code: GatewayErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The server stops; whoever asks again soon finds it, or another one, ready. */
export class ShuttingDownError extends GatewayError {
  override readonly name = 'ShuttingDownError'

  constructor() {
    super('shutting_down', 'This server is shutting down. Send the request again in a moment.')
  }
}

/** The client closed its connection: nobody is left to read an answer. */
export class ClientGoneError extends GatewayError {
  override readonly name = 'ClientGoneError'
  /** The client said that it was done; false where the connection may just have been cut. */
  readonly isFarewell: boolean

  constructor({ isFarewell = false }: { readonly isFarewell?: boolean } = {}) {
    super('client_gone', 'The client closed the connection.')
    this.isFarewell = isFarewell
  }
}

/** A resumable answer, or a part of it, is not kept any more. */
export class AnswerGoneError extends GatewayError {
  override readonly name = 'AnswerGoneError'

  /** `what`: what happened to it, as a sentence. */
  constructor(what: string) {
    super(
      'answer_gone',
      `${what} Send the request again; to go on from what you have of the answer, put it at the end ` +
        '(chat: with continue_final_message).',
    )
  }
}

/** Somebody who knows the answer's id had it stopped. */
export class AnswerCancelledError extends GatewayError {
  override readonly name = 'AnswerCancelledError'

  constructor() {
    super('answer_cancelled', 'The answer was stopped on request. What it has so far is all of it.')
  }
}
