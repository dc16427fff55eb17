import type { LiveAnswer } from './live-answer.ts'
import { messageText } from './prompt.ts'
import type { Message } from './types.ts'

export interface ContextUse {
  /** Tokens of the branch as the model sees it. */
  readonly chat: number
  /** Tokens of the draft; undefined until they are counted. */
  readonly draft: number | undefined
  /** Tokens of the model's context. */
  readonly limit: number
}

/** An estimate for text whose tokens were not counted: about right for most languages and for code. */
const CHARACTERS_PER_TOKEN = 4

/**
 * Returns how many tokens of the model's context a branch takes: the figure of the last answer that has one, and all that
 * came since. An answer that was stopped, was cut off or is being written counts one token for each piece that arrived.
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
  const results = resultTokens(message.id === live?.messageId ? live : message)
  if (message.id === live?.messageId) return live.earlierTokens + live.pieces + results
  return (message.stats?.completionTokens ?? estimate(messageText(message))) + results
}

/** Estimates the tokens of what tools returned; the model has written their calls. */
function resultTokens({ rounds = [], calls = [] }: Pick<Message, 'rounds' | 'calls'>): number {
  const all = [...rounds.flatMap((round) => round.calls), ...calls]
  return all.reduce((sum, { result = '' }) => sum + estimate(result), 0)
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
