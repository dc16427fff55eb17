import { ProtocolError, RpcError } from '../errors.ts'

/** What a server session had asked of its server when the server refused. */
export interface Asked {
  /** The server had room for the session: it has answered the opening request. */
  readonly isOpen: boolean
  /** Length of the session, tokens. */
  readonly maxLength: number
  /** Tokens of the request that awaits its answer; undefined if none does. */
  readonly tokens: number | undefined
}

/** A limit of a server, as its refusal names it. */
export type Refusal =
  | { readonly limit: 'session-tokens' | 'request-tokens'; readonly tokens: number }
  /** It fails at empty steps, as those servers do that compress their answers to 8 bits by QUANTILE or UNIFORM. */
  | { readonly limit: 'no-empty-steps' }

/** No server that is of any use allows fewer tokens than this in a session or in a request. */
export const leastLimit = 32

const sessionTokens = /^Cannot allocate KV cache for (\d+) tokens, max = (\d+)/
const requestTokens = /^Task size greater than max_batch_size \((\d+)\)/
const emptySteps = /^(index -1 is out of bounds for axis 0 with size 0|math domain error)/
const noRoom = /^(Could not allocate|Server's attention cache is full)/

const textOf = (cause: unknown): string => (cause instanceof RpcError ? cause.remoteMessage : '')

/** Reads the limit that a refusal names (`petals/server/handler.py`, `task_pool.py`); undefined if it names none. */
export function readRefusal(cause: unknown): Refusal | undefined {
  const text = textOf(cause)
  const session = sessionTokens.exec(text)?.[2]
  if (session !== undefined) return { limit: 'session-tokens', tokens: Number(session) }
  const request = requestTokens.exec(text)?.[1]
  if (request !== undefined) return { limit: 'request-tokens', tokens: Number(request) }
  return emptySteps.test(text) ? { limit: 'no-empty-steps' } : undefined
}

/**
 * A server's reason to refuse contradicts what was asked of it, or what it said before. It is wrong or hostile, and it must
 * not pass for a server with limits.
 */
export class UnfoundedRefusalError extends ProtocolError {
  constructor(cause: RpcError) {
    super(`The server refused for a reason that can't be true: ${cause.remoteMessage}`, {
      peer: cause.peer,
      cause,
    })
  }
}

/** Returns the error itself, or an {@link UnfoundedRefusalError} if it refuses for a reason that can't be true. */
export function checkRefusal(error: Error, asked: Asked): Error {
  return error instanceof RpcError && isUnfounded(error, asked) ? new UnfoundedRefusalError(error) : error
}

function isUnfounded(error: RpcError, { isOpen, maxLength, tokens }: Asked): boolean {
  const refusal = readRefusal(error)
  switch (refusal?.limit) {
    case 'session-tokens': {
      const named = Number(sessionTokens.exec(error.remoteMessage)![1])
      return isOpen || named !== maxLength || refusal.tokens < leastLimit || refusal.tokens >= maxLength
    }
    case 'request-tokens':
      return refusal.tokens < leastLimit || tokens === undefined || refusal.tokens >= tokens
    case 'no-empty-steps':
      return tokens !== 0
    case undefined:
      // Servers allocate the whole KV cache when a session opens, and need no more afterwards.
      return isOpen && noRoom.test(error.remoteMessage)
  }
}
