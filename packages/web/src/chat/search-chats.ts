import { splitReasoning } from './reasoning.ts'
import type { Chat, Message } from './types.ts'

/** A chat that a search found. */
export interface ChatHit {
  readonly chatId: string
  /** The words around the match in the message; undefined if the title matches. */
  readonly snippet: string | undefined
  /** The newest message that matches; undefined if only the title does. */
  readonly messageId: string | undefined
}

/** Characters of a snippet before the match, few enough that the match is visible in a narrow list, and after it. */
const BEFORE = 16
const AFTER = 60

/** Returns a test for texts that contain all words of the query, in any order, ignoring case and accents. */
export function matcher(query: string): (text: string) => boolean {
  const words = wordsOf(query)
  return (text) => {
    const folded = fold(text)
    return words.length > 0 && words.every((word) => folded.includes(word))
  }
}

/** Returns the words of a query, folded for the search. */
export function wordsOf(query: string): readonly string[] {
  return fold(query).split(/\s+/).filter(Boolean)
}

/**
 * Yields all hits so far, repeatedly while the messages are read: chats whose title matches before chats with a
 * matching message, in both groups the newest first. Each chat occurs once, with its newest matching message.
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

/** Returns the searchable text of a message: without thoughts. */
export function searchedText({ content, rounds = [] }: Pick<Message, 'content' | 'rounds'>): string {
  return [...rounds, { content }].map((part) => splitReasoning(part.content).answer).join(' ')
}

/** Returns the text around the first word, on one line. */
export function snippetOf(text: string, query: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  const [word = ''] = wordsOf(query)
  // Folding preserves the number of characters in composed texts only; otherwise the position is near enough.
  const at = Math.max(0, fold(line).indexOf(word))
  const start = wordStart(line, at)
  const end = Math.min(line.length, at + word.length + AFTER)
  return `${start > 0 ? '…' : ''}${line.slice(start, end).trim()}${end < line.length ? '…' : ''}`
}

/** Returns where a snippet begins: at a word, if one begins before the match. */
function wordStart(line: string, at: number): number {
  const start = Math.max(0, at - BEFORE)
  const space = start === 0 ? -1 : line.slice(start - 1, at).indexOf(' ')
  return space < 0 ? start : start + space
}

export function fold(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()
}
