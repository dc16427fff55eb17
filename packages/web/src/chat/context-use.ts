import { hasBegun, type LiveAnswer } from './live-answer.ts'
import type { Message } from './types.ts'

export interface ContextUse {
  /** Tokens of the branch, as the model sees it. */
  readonly chat: number
  /** Tokens of what is being written; undefined while they are not counted. */
  readonly draft: number | undefined
  /** Tokens that the model can hold. */
  readonly limit: number
}

/** How much of a model's context a branch takes: what the last answer said, and what came since. */
export function usedContext(path: readonly Message[], live: LiveAnswer | undefined): number {
  const known = path.findLastIndex((message) => message.stats?.contextTokens !== undefined)
  const before = path[known]?.stats?.contextTokens ?? 0
  const since = path
    .slice(known + 1)
    .reduce((sum, { role, tokens }) => sum + (role === 'user' ? (tokens ?? 0) : 0), 0)
  const writing = live && hasBegun(live) && path[known]?.id !== live.messageId ? live.pieces : 0
  return before + since + writing
}

export type ContextLevel = 'fine' | 'nearly-full' | 'full' | 'draft-too-long'

const NEARLY_FULL = 0.8

export function contextLevel({ chat, draft = 0, limit }: ContextUse): ContextLevel {
  if (draft >= limit) return 'draft-too-long'
  const share = (chat + draft) / limit
  return share >= 1 ? 'full' : share >= NEARLY_FULL ? 'nearly-full' : 'fine'
}
