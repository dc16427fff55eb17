import { splitReasoning } from './reasoning.ts'
import type { Chat, Message } from './types.ts'

/** A chat that a search found. */
export interface ChatHit {
  readonly chatId: string
  /** The words around the first place in a message; undefined where the title matches. */
  readonly snippet: string | undefined
}

/** Characters before the words that were looked for, so that these are in sight in a narrow list, and after them. */
const BEFORE = 16
const AFTER = 60

/** All words must be there, in any order; letters' case and accents make no difference. */
export function matcher(query: string): (text: string) => boolean {
  const words = fold(query).split(/\s+/).filter(Boolean)
  return (text) => {
    const folded = fold(text)
    return words.length > 0 && words.every((word) => folded.includes(word))
  }
}

/** Chats whose title matches, then those with a message that does, as they are found. Each chat once. */
export async function* searchChats(
  query: string,
  chats: Iterable<Chat>,
  messages: AsyncIterable<readonly Message[]>,
): AsyncGenerator<readonly ChatHit[]> {
  const matches = matcher(query)
  const titles = [...chats].filter(({ title }) => matches(title))
  const found = new Set(titles.map(({ id }) => id))
  yield titles.map(({ id }) => ({ chatId: id, snippet: undefined }))
  for await (const batch of messages) {
    const hits: ChatHit[] = []
    for (const { chatId, content } of batch) {
      if (found.has(chatId)) continue
      const text = splitReasoning(content).answer
      if (!matches(text)) continue
      found.add(chatId)
      hits.push({ chatId, snippet: snippetOf(text, query) })
    }
    if (hits.length > 0) yield hits
  }
}

/** The place of the first word, on one line. */
export function snippetOf(text: string, query: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  const [word = ''] = fold(query).split(/\s+/).filter(Boolean)
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

function fold(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()
}
