import { RpcError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** Limits that servers have told by refusing more. Shared by all sessions on a model. */
export interface ServerLimits {
  /** Longest session, tokens. */
  readonly maxLengths: Map<PeerId, number>
  /** Most tokens in one request, of any server so far. */
  maxRequestTokens: number
  /** Servers that fail at steps of no tokens, as those do that compress their answers to 8 bits by QUANTILE or UNIFORM. */
  readonly withoutEmptySteps: Set<PeerId>
}

export const noLimitsKnown = (): ServerLimits => ({
  maxLengths: new Map(),
  maxRequestTokens: Infinity,
  withoutEmptySteps: new Set(),
})

/**
 * Notes what a refusal says (`petals/server/handler.py`, `task_pool.py`). True if something was learnt that was not known.
 * `hasAnswered`: the session had gone beyond its opening.
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
