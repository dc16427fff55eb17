import { ConnectionLostError, DeadlineExceededError, PeerUnreachableError, RpcError } from '../errors.ts'
import type { Offence } from './ban-list.ts'

/**
 * Whose fault a failed call was, by the text of the server's exception (`petals/server/handler.py`, `memory_cache.py`):
 * - `limit`: the request exceeds a limit of this server;
 * - `full`: the server's KV cache has no room now;
 * - `moved`: the server no longer holds these blocks;
 * - `server`: everything else. The server is broken, unreachable or hostile. That includes the errors that a malformed
 *   request causes (`Maximum length exceeded`, `is not unique`, `hypo ids must be int64`): this client sends none.
 */
export type FailureKind = 'limit' | 'full' | 'moved' | 'server'

const patterns: readonly (readonly [RegExp, FailureKind])[] = [
  [/^(Could not allocate|Server's attention cache is full)/, 'full'],
  [/^Remote peer does not serve/, 'moved'],
  [/^Cannot allocate KV cache for \d+ tokens/, 'limit'],
  [/^Task size greater than max_batch_size/, 'limit'],
  // A step of no tokens, sent to a server with --compression QUANTILE_8BIT or UNIFORM_8BIT.
  [/^(index -1 is out of bounds for axis 0 with size 0|math domain error)/, 'limit'],
]

export function failureKind(cause: unknown): FailureKind {
  if (!(cause instanceof RpcError)) return 'server'
  return patterns.find(([pattern]) => pattern.test(cause.remoteMessage))?.[1] ?? 'server'
}

/** Returns the offence that a failed call counts as. */
export function offenceOf(cause: unknown): Offence {
  if (cause instanceof DeadlineExceededError || failureKind(cause) === 'full') return 'late'
  return cause instanceof PeerUnreachableError || cause instanceof ConnectionLostError ? 'gone' : 'failed'
}
