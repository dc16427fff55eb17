import type { ChatRequest } from '../api/chat-request.ts'
import type { Message } from './types.ts'

export interface Room {
  /** Tokens that the prompt may have. */
  readonly prompt: number
  /** Tokens of prompt and answer together. */
  readonly context: number
}

export interface FitOptions {
  /** Indices of the messages at which the prompt may begin: the reader's messages, oldest first. */
  readonly starts: readonly number[]
  /** Counts the tokens of the prompt that begins at a message. */
  readonly count: (start: number) => Promise<number>
  readonly room: number
}

export interface Fit {
  readonly start: number
  readonly tokens: number
}

/** A prompt that must be shortened is shortened to this share, so that the next turns fit too and find their KV cache. */
const SHORTENED_SHARE = 0.75
/** The most tokens reserved for an answer without a token limit. */
const MAX_ANSWER_RESERVE = 1024
const ANSWER_RESERVE_SHARE = 1 / 8
/** What a template may put around each message, in tokens. */
const TEMPLATE_TOKENS = 32
/** What a template may say about calling tools at all, in tokens. */
const TOOLS_TOKENS = 2048

/** Returns how many tokens the prompt may have if the answer may have up to `maxTokens`. */
export function roomOf(contextLength: number, maxTokens: number | undefined): Room {
  const wanted = maxTokens ?? Math.min(MAX_ANSWER_RESERVE, Math.floor(contextLength * ANSWER_RESERVE_SHARE))
  return { context: contextLength, prompt: contextLength - Math.min(wanted, Math.floor(contextLength / 2)) }
}

/** Returns an upper bound for the tokens of a request: a token has at least one byte. */
export function maxTokensOf({ messages, tools }: Pick<ChatRequest, 'messages' | 'tools'>): number {
  const bytes = (text: string): number => new TextEncoder().encode(text).length
  return messages.reduce(
    (sum, { content, tool_calls }) =>
      sum + bytes(content) + (tool_calls ? inTemplate(tool_calls) : 0) + TEMPLATE_TOKENS,
    TEMPLATE_TOKENS + (tools ? TOOLS_TOKENS + inTemplate(tools) : 0),
  )

  /** Templates may write JSON with spaces and line breaks. */
  function inTemplate(value: unknown): number {
    return bytes(JSON.stringify(value, null, 4))
  }
}

/**
 * Returns the earliest start that fits. If none fits, returns the last one: the server will refuse it with exact
 * numbers.
 */
export async function fitToContext({ starts, count, room }: FitOptions): Promise<Fit> {
  const first = starts[0] ?? 0
  const all: Fit = { start: first, tokens: await count(first) }
  if (all.tokens <= room || starts.length < 2) return all
  return (
    (await earliest(starts, count, room * SHORTENED_SHARE)) ??
    (await earliest(starts, count, room)) ??
    lastOf(starts, count)
  )
}

/** Searches by bisection: a later start never has more tokens. */
async function earliest(
  starts: readonly number[],
  count: FitOptions['count'],
  room: number,
): Promise<Fit | undefined> {
  let best: Fit | undefined
  for (let low = 1, high = starts.length - 1; low <= high;) {
    const middle = (low + high) >> 1
    const start = starts[middle]!
    const tokens = await count(start)
    if (tokens <= room) {
      best = { start, tokens }
      high = middle - 1
    } else low = middle + 1
  }
  return best
}

/** How many characters of the end of a text fit into a prompt. */
export interface FittingEnd {
  readonly keep: number
  readonly tokens: number
}

const MAX_CUTS = 6

/**
 * Returns how much of the end of an answer fits into a prompt if even the last turn is too long with the whole answer.
 * Returns undefined if the prompt does not fit without it either. `count` counts the tokens with that many characters.
 */
export async function fitEnd(
  length: number,
  room: number,
  count: (keep: number) => Promise<number>,
): Promise<FittingEnd | undefined> {
  const least = await count(1)
  const target = room * SHORTENED_SHARE
  if (least > target) return undefined
  // A token has at least one character; the count tells how many it really has.
  let keep = Math.min(length, Math.floor(target))
  for (let cut = 0; cut < MAX_CUTS; cut++) {
    const tokens = await count(keep)
    const perCharacter = (tokens - least) / keep
    const wanted = perCharacter > 0 ? Math.floor((target - least) / perCharacter) : length
    const isEnough = tokens > target / 2 || keep === length
    if (tokens <= room && isEnough) return { keep, tokens }
    keep = Math.max(1, Math.min(length, tokens > room ? Math.min(wanted, Math.floor(keep / 2)) : wanted))
  }
  return { keep: 1, tokens: least }
}

async function lastOf(starts: readonly number[], count: FitOptions['count']): Promise<Fit> {
  const start = starts.at(-1)!
  return { start, tokens: await count(start) }
}

/**
 * Returns the messages at which a prompt may begin: none before the first message that the same model saw for the previous
 * answer, because its KV cache begins there.
 */
export function possibleStarts(path: readonly Message[], model: string): readonly number[] {
  const before = path.findLast((message) => message.role === 'assistant' && message.leftOut !== undefined)
  const sticky = before?.model === model ? path.findIndex(({ id }) => id === before.leftOut?.firstSeenId) : -1
  const least = Math.max(0, sticky)
  const starts = path.flatMap(({ role }, index) => (role === 'user' && index >= least ? [index] : []))
  return starts.length > 0 ? starts : [0]
}
