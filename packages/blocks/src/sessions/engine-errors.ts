import { ServedError } from '@petals-chat/petals/protocol'
import {
  CacheFullError,
  CacheReclaimedError,
  CacheTooLargeError,
  EngineEndedError,
  InvalidPassError,
} from '../engine/errors.ts'

/**
 * Returns an error of the engine in the words of Petals' servers, by which clients decide what to do. Sizes are tokens of KV
 * cache over all loaded blocks, not bytes.
 */
export function asServedError(error: unknown, timeoutMs = 0): unknown {
  if (error instanceof CacheTooLargeError) {
    const sizes = `${Math.ceil(error.needed)} tokens, max cache size = ${error.total} tokens`
    return allocationFailed(`Could not allocate ${sizes}`, error)
  }
  if (error instanceof CacheFullError) {
    const needed = Math.ceil(error.needed)
    const why = timeoutMs > 0 ? `within ${timeoutMs / 1000} seconds` : 'immediately: out of memory'
    return allocationFailed(`Could not allocate ${needed} tokens ${why}`, error)
  }
  if (error instanceof EngineEndedError)
    return new ServedError('RuntimeError', 'The server has lost the KV cache of this session.', {
      cause: error,
    })
  if (error instanceof CacheReclaimedError)
    return new ServedError('RuntimeError', error.message, { cause: error })
  if (error instanceof InvalidPassError) return new ServedError('ValueError', error.message, { cause: error })
  return error
}

const allocationFailed = (message: string, cause: Error): ServedError =>
  new ServedError('RuntimeError', message, { cause })
