import type { LiveAnswer } from './live-answer.ts'
import { messageText } from './prompt.ts'
import type { Message } from './types.ts'

export interface ContextUse {
  /** Tokens of the branch, as the model sees it. */
  readonly chat: number
  /** Tokens of what is being written; undefined while they are not counted. */
  readonly draft: number | undefined
  /** Tokens that the model can hold. */
  readonly limit: number
}

/** Characters of a token, where tokens were not counted: about so many in most languages and code. */
const CHARACTERS_PER_TOKEN = 4

/**
 * How much of a model's context a branch takes: what the last answer said that was told its figures, and all that came
 * since. One that was stopped, cut off or is being written has as many tokens as pieces came.
 */
export function usedContext(path: readonly Message[], live: LiveAnswer | undefined): number {
  const known = path.findLastIndex(
    ({ id, stats }) => stats?.contextTokens !== undefined && id !== live?.messageId,
  )
  const before = path[known]?.stats?.contextTokens ?? 0
  return path.slice(known + 1).reduce((sum, message) => sum + tokensOf(message, live), before)
}

function tokensOf(message: Message, live: LiveAnswer | undefined): number {
  if (message.role === 'user') return message.tokens ?? estimate(messageText(message))
  if (message.id === live?.messageId) return live.earlierTokens + live.pieces
  return message.stats?.completionTokens ?? estimate(message.content)
}

function estimate(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN)
}

export type ContextLevel = 'fine' | 'nearly-full' | 'full' | 'draft-too-long'

const NEARLY_FULL = 0.8

export function contextLevel({ chat, draft = 0, limit }: ContextUse): ContextLevel {
  if (draft >= limit) return 'draft-too-long'
  const share = (chat + draft) / limit
  return share >= 1 ? 'full' : share >= NEARLY_FULL ? 'nearly-full' : 'fine'
}
