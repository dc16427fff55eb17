import { AccessError } from '@petals-chat/access'
import { GatewayError } from './errors.ts'

/** Reports whether an error tells that the file of keys and usage can't be used now. Its details are for the operator. */
export const isUnusableFile = (error: unknown): boolean =>
  (error instanceof AccessError && error.code === 'unavailable') ||
  (error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR')

/** The error of a caller who can't be identified now, or whose keys can't be changed. */
export const keysUnavailable = (): GatewayError =>
  new GatewayError(
    'keys_unavailable',
    'This server can not use its file of API keys at the moment. Try again soon; the log of the server says why.',
  )
