import { EngineError, GenerationFailedError } from '@petals-chat/engine'
import { SwarmError } from '../errors.ts'

/**
 * Returns the error that leaves this package: engine errors and abort reasons unchanged, and any other error as the cause of
 * a GenerationFailedError.
 */
export function toEngineError(error: unknown, model: string, signal?: AbortSignal): unknown {
  if (error instanceof EngineError || (signal?.aborted && error === signal.reason)) return error
  const reason = error instanceof SwarmError ? error.message : 'This program has a fault; its log says which.'
  return new GenerationFailedError(
    `Generation with ${model} failed. ${reason} Try again; \`petals-chat swarm status\` shows which servers are online.`,
    { cause: error },
  )
}
