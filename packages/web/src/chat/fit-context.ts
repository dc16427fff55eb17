import type { ChatRequest } from '../api/chat-request.ts'
import type { Message } from './types.ts'

export interface Room {
  /** Tokens that the prompt may have. */
  readonly prompt: number
  /** Tokens of prompt and answer together. */
  readonly context: number
}

export interface FitOptions {
  /** Where the shown messages may begin, as indices of the chat: the reader's messages, oldest first. */
  readonly starts: readonly number[]
  /** Tokens of the prompt that begins at a message. */
  readonly count: (start: number) => Promise<number>
  readonly room: number
}

export interface Fit {
  readonly start: number
  readonly tokens: number
}

/** A prompt that has to be shortened is shortened well, so that the next turns fit too and find their KV cache. */
const SHORTENED_SHARE = 0.75
/** Room for an answer whose length nobody bounds. */
const MAX_ANSWER_RESERVE = 1024
const ANSWER_RESERVE_SHARE = 1 / 8
/** What a template may put around each message, in tokens. */
const TEMPLATE_TOKENS = 32

/** How many tokens are for the prompt, if the answer is to have up to `maxTokens`. */
export function roomOf(contextLength: number, maxTokens: number | undefined): Room {
  const wanted = maxTokens ?? Math.min(MAX_ANSWER_RESERVE, Math.floor(contextLength * ANSWER_RESERVE_SHARE))
  return { context: contextLength, prompt: contextLength - Math.min(wanted, Math.floor(contextLength / 2)) }
}

/** No tokenizer makes more tokens than this of a request: a token has one byte at least. */
export function mostTokens({ messages }: Pick<ChatRequest, 'messages'>): number {
  const encoder = new TextEncoder()
  return messages.reduce(
    (sum, { content }) => sum + encoder.encode(content).length + TEMPLATE_TOKENS,
    TEMPLATE_TOKENS,
  )
}

/** The earliest start that fits. The last one where none does: the server will say so with its numbers. */
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

/** By bisection: a later start never has more tokens. */
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

/** The end of a text, in characters, with which a prompt fits. */
export interface FittingEnd {
  readonly keep: number
  readonly tokens: number
}

const MAX_CUTS = 6

/**
 * How much of the end of an answer a prompt can have, where even the last turn is too long with all of it. Undefined
 * where it does not fit with nothing of it. `count`: tokens of the prompt with so many characters.
 */
export async function fitEnd(
  length: number,
  room: number,
  count: (keep: number) => Promise<number>,
): Promise<FittingEnd | undefined> {
  const least = await count(1)
  const target = room * SHORTENED_SHARE
  if (least > target) return undefined
  // A token has a character at least; what was counted tells how many it really has.
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
 * Where the messages that a model is shown may begin. Not before those that the same model was shown for the answer
 * before: its KV cache begins there.
 */
export function possibleStarts(path: readonly Message[], model: string): readonly number[] {
  const before = path.findLast((message) => message.role === 'assistant' && message.leftOut !== undefined)
  const sticky = before?.model === model ? path.findIndex(({ id }) => id === before.leftOut?.firstSeenId) : -1
  const least = Math.max(0, sticky)
  const starts = path.flatMap(({ role }, index) => (role === 'user' && index >= least ? [index] : []))
  return starts.length > 0 ? starts : [0]
}
