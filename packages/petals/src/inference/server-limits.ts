import { RpcError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** Limits of servers, learnt from their refusals. All sessions of a model share them. */
export interface ServerLimits {
  /** Longest session, tokens. */
  readonly maxLengths: Map<PeerId, number>
  /** Most tokens in one request: the lowest limit of all servers so far. */
  maxRequestTokens: number
  /** Servers that fail at empty steps, as those do that compress their answers to 8 bits by QUANTILE or UNIFORM. */
  readonly withoutEmptySteps: Set<PeerId>
}

export const noLimitsKnown = (): ServerLimits => ({
  maxLengths: new Map(),
  maxRequestTokens: Infinity,
  withoutEmptySteps: new Set(),
})

/**
 * Notes the limit that a refusal names (`petals/server/handler.py`, `task_pool.py`). Returns true if it was new.
 * @param hasAnswered the session had answered a step after its opening
 */
export function learnFrom(cause: Error, peer: PeerId, limits: ServerLimits, hasAnswered: boolean): boolean {
  const text = cause instanceof RpcError ? cause.remoteMessage : ''
  const length = /^Cannot allocate KV cache for \d+ tokens, max = (\d+)/.exec(text)?.[1]
  const request = /^Task size greater than max_batch_size \((\d+)\)/.exec(text)?.[1]
  if (length !== undefined) {
    const isNew = limits.maxLengths.get(peer) !== Number(length)
    limits.maxLengths.set(peer, Number(length))
    return isNew
  }
  if (request !== undefined) {
    const isNew = Number(request) < limits.maxRequestTokens
    limits.maxRequestTokens = Math.min(limits.maxRequestTokens, Number(request))
    return isNew
  }
  if (hasAnswered || limits.withoutEmptySteps.has(peer)) return false
  limits.withoutEmptySteps.add(peer)
  return true
}
