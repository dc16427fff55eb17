/** Kinds of errors, one for each decision that a caller takes. The gateway maps each to a status (`error-response.ts`). */
export type EngineErrorCode =
  | 'invalid_request'
  | 'context_length_exceeded'
  | 'model_not_found'
  | 'capacity'
  | 'model_unavailable'
  | 'missing_blocks'
  | 'generation_failed'

export interface EngineErrorOptions {
  readonly cause?: unknown
}

/** Base class of all errors that engines throw. Its message says what was wrong, where, and what to do; it is safe to show to a client. */
export class EngineError extends Error {
  override readonly name: string = 'EngineError'
  readonly code: EngineErrorCode

  constructor(code: EngineErrorCode, message: string, options?: EngineErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface InvalidRequestOptions extends EngineErrorOptions {
  readonly param?: string | undefined
  readonly reason?: string | undefined
}

/**
 * The request is invalid. `param` names the parameter at fault; `reason` says what is wrong with it, as one of OpenAI's
 * error codes (`missing_required_parameter`, `unsupported_parameter`, `invalid_type` …).
 */
export class InvalidRequestError extends EngineError {
  override readonly name = 'InvalidRequestError'
  readonly param: string | undefined
  readonly reason: string | undefined

  constructor(message: string, options?: InvalidRequestOptions) {
    super('invalid_request', message, options)
    this.param = options?.param
    this.reason = options?.reason
  }
}

/** Prompt and answer together are longer than the session or the model allows (counts in tokens). */
export class ContextLengthError extends EngineError {
  override readonly name = 'ContextLengthError'
  readonly requested: number
  readonly maximum: number

  constructor(requested: number, maximum: number, message?: string) {
    super(
      'context_length_exceeded',
      message ??
        `Maximum length exceeded: ${requested} tokens are needed, ${maximum} are allowed. ` +
          'Shorten the prompt, ask for fewer new tokens, or open a longer session.',
    )
    this.requested = requested
    this.maximum = maximum
  }
}

/** No model has this id or alias. */
export class ModelNotFoundError extends EngineError {
  override readonly name = 'ModelNotFoundError'
  readonly model: string

  constructor(model: string, known: readonly string[]) {
    super(
      'model_not_found',
      `The model '${model}' does not exist here. Models of this server: ${known.join(', ') || 'none'}.`,
    )
    this.model = model
  }
}

/** All capacity is in use; a retry after `retryAfterMs` may succeed. */
export class CapacityError extends EngineError {
  override readonly name = 'CapacityError'
  readonly retryAfterMs: number

  constructor(message: string, options?: EngineErrorOptions & { readonly retryAfterMs?: number }) {
    super('capacity', message, options)
    this.retryAfterMs = options?.retryAfterMs ?? 1000
  }
}

/** The model exists but can't answer now: not loaded, download failed, engine down. The message says how to fix it. */
export class ModelUnavailableError extends EngineError {
  override readonly name: string = 'ModelUnavailableError'
  /** When to ask again, if that is known. */
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    options?: EngineErrorOptions & { readonly retryAfterMs?: number | undefined },
    code: 'model_unavailable' | 'missing_blocks' = 'model_unavailable',
  ) {
    super(code, message, options)
    this.retryAfterMs = options?.retryAfterMs
  }
}

/** No online server holds these blocks of the model. */
export class MissingBlocksError extends ModelUnavailableError {
  override readonly name = 'MissingBlocksError'
  readonly blocks: readonly number[]

  constructor(blocks: readonly number[], message: string, options?: EngineErrorOptions) {
    super(message, options, 'missing_blocks')
    this.blocks = blocks
  }
}

/** Generation has started and can't be completed. */
export class GenerationFailedError extends EngineError {
  override readonly name = 'GenerationFailedError'

  constructor(message: string, options?: EngineErrorOptions) {
    super('generation_failed', message, options)
  }
}
