import { EngineError, GenerationFailedError } from '@petals-chat/engine'
import { SwarmError } from '../errors.ts'

/**
 * What leaves this package: engine errors and abort reasons as they are, errors of the swarm as the cause of a
 * GenerationFailedError in words.
 */
export function toEngineError(error: unknown, model: string, signal?: AbortSignal): unknown {
  if (error instanceof EngineError || (signal?.aborted && error === signal.reason)) return error
  const reason = error instanceof SwarmError ? error.message : 'an unexpected fault in this program.'
  return new GenerationFailedError(
    `The answer of ${model} was broken off: ${reason} Try again; \`petals-chat swarm status\` shows which servers are up.`,
    { cause: error },
  )
}
