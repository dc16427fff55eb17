import { splitReasoning } from './reasoning.ts'
import type { Chat, Message } from './types.ts'

/** A chat that a search found. */
export interface ChatHit {
  readonly chatId: string
  /** The words around the place in the message; undefined where the title matches. */
  readonly snippet: string | undefined
  /** The newest message that matches; undefined where only the title does. */
  readonly messageId: string | undefined
}

/** Characters before the words that were looked for, so that these are in sight in a narrow list, and after them. */
const BEFORE = 16
const AFTER = 60

/** All words must be there, in any order; letters' case and accents make no difference. */
export function matcher(query: string): (text: string) => boolean {
  const words = wordsOf(query)
  return (text) => {
    const folded = fold(text)
    return words.length > 0 && words.every((word) => folded.includes(word))
  }
}

/** The words of a query, as they are looked for. */
export function wordsOf(query: string): readonly string[] {
  return fold(query).split(/\s+/).filter(Boolean)
}

/**
 * All that is found so far, again and again while the messages are read: chats whose title matches before those with a
 * message that does, and of both the newest first. Each chat once, with the newest message that matches.
 */
export async function* searchChats(
  query: string,
  chats: Iterable<Chat>,
  messages: AsyncIterable<readonly Message[]>,
): AsyncGenerator<readonly ChatHit[]> {
  const matches = matcher(query)
  const newest = [...chats].toSorted((a, b) => b.updatedAt - a.updatedAt)
  const titled = new Set(newest.filter(({ title }) => matches(title)).map(({ id }) => id))
  const places = new Map<string, Message>()
  const ranked = [...newest.filter(({ id }) => titled.has(id)), ...newest.filter(({ id }) => !titled.has(id))]
  const hits = (): readonly ChatHit[] =>
    ranked
      .filter(({ id }) => titled.has(id) || places.has(id))
      .map(({ id }) => {
        const place = places.get(id)
        const snippet = place && !titled.has(id) ? snippetOf(searchedText(place), query) : undefined
        return { chatId: id, snippet, messageId: place?.id }
      })
  yield hits()
  for await (const batch of messages) {
    const found = batch.filter((message) => isNewer(message, places) && matches(searchedText(message)))
    for (const message of found) if (isNewer(message, places)) places.set(message.chatId, message)
    if (found.length > 0) yield hits()
  }
}

function isNewer({ chatId, createdAt }: Message, places: ReadonlyMap<string, Message>): boolean {
  return createdAt >= (places.get(chatId)?.createdAt ?? -Infinity)
}

/** What of a message is searched: no thoughts. */
export function searchedText({ content }: Pick<Message, 'content'>): string {
  return splitReasoning(content).answer
}

/** The place of the first word, on one line. */
export function snippetOf(text: string, query: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  const [word = ''] = wordsOf(query)
  // Folding keeps the number of characters only in composed texts: the place is near enough otherwise.
  const at = Math.max(0, fold(line).indexOf(word))
  const start = wordStart(line, at)
  const end = Math.min(line.length, at + word.length + AFTER)
  return `${start > 0 ? '…' : ''}${line.slice(start, end).trim()}${end < line.length ? '…' : ''}`
}

/** Where a snippet begins: at a word, if one begins before the place. */
function wordStart(line: string, at: number): number {
  const start = Math.max(0, at - BEFORE)
  const space = start === 0 ? -1 : line.slice(start - 1, at).indexOf(' ')
  return space < 0 ? start : start + space
}

export function fold(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()
}
