import type { Span } from '../blocks/spans.ts'

/** Least tokens beyond those that are needed now, so that a short answer needs no second allocation. */
const minHeadroom = 256
/** Lengths are multiples of this. */
const granularity = 64
/** A server with this many times the free KV cache that the whole session could ever take can spare all of it. */
const generousShare = 8

export interface LengthRequest {
  /** Tokens that must fit. */
  readonly needed: number
  /** The most tokens that the session will ever hold. */
  readonly maximum: number
  /** The server's own limit, if it is known. */
  readonly limit?: number | undefined
  /** Servers have run out of room. */
  readonly tight?: boolean | undefined
  readonly span: Span
}

/**
 * Returns how many tokens of KV cache to request from a server. Swarms are short of KV cache: little is requested at first,
 * and more when it is needed. That takes a new session and a replay, so each time it is half as much again. Where there is
 * plenty, all is requested at once.
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
  const least = leastSessionLength(needed, maximum)
  return Math.min(isPlenty ? maximum : least, Math.max(limit, needed))
}

/** Returns how many tokens are requested at first where there is not plenty. */
export function leastSessionLength(needed: number, maximum: number): number {
  const headroom = Math.max(minHeadroom, Math.ceil(needed / 2))
  return Math.min(Math.ceil((needed + headroom) / granularity) * granularity, maximum)
}
