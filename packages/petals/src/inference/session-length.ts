import type { Span } from '../blocks/spans.ts'

/** Tokens beyond what is needed now, at least: a short answer needs no second allocation. */
const minHeadroom = 256
/** Lengths are multiples of this. */
const granularity = 64
/** A server whose free cache is this many times what the whole session could ever take is not hurt by all of it. */
const generousShare = 8

export interface LengthRequest {
  /** Tokens that must fit. */
  readonly needed: number
  /** Tokens that the session may ever hold. */
  readonly maximum: number
  /** What the server is known to allow at most. */
  readonly limit?: number | undefined
  /** Servers were found to be short of room. */
  readonly tight?: boolean | undefined
  readonly span: Span
}

/**
 * How long a session to ask a server for. KV cache is what swarms are short of: tightly at first, more when it is needed
 * (by a new session and replay, so each time half as much again), all of it at once where there is plenty.
 */
export function sessionLength({
  needed,
  maximum,
  limit = Infinity,
  tight = false,
  span,
}: LengthRequest): number {
  const blocks = span.end - span.start
  const wholeSession = maximum * 2 * blocks
  const isPlenty = !tight && (span.server.cacheTokensLeft ?? 0) >= wholeSession * generousShare
  const headroom = Math.max(minHeadroom, Math.ceil(needed / 2))
  const rounded = Math.ceil((needed + headroom) / granularity) * granularity
  return Math.min(isPlenty ? maximum : rounded, maximum, Math.max(limit, needed))
}
