import { expect, it } from 'vitest'
import { matcher, searchChats, snippetOf, type ChatHit } from './search-chats.ts'
import type { Chat, Message } from './types.ts'

const chat = (id: string, title: string, updatedAt = 0) => ({ id, title, updatedAt }) as Chat
let clock = 0
const message = (chatId: string, content: string, createdAt = ++clock) =>
  ({ id: `${chatId}${createdAt}`, chatId, content, createdAt }) as Message

async function search(query: string, chats: Chat[], batches: Message[][]): Promise<readonly ChatHit[]> {
  async function* scan() {
    for (const batch of batches) yield await Promise.resolve(batch)
  }
  let hits: readonly ChatHit[] = []
  for await (const found of searchChats(query, chats, scan())) hits = found
  return hits
}

it('finds words in any order, ignoring case and accents', () => {
  const matches = matcher('CAFE über')
  expect(matches('Über das Café')).toBe(true)
  expect(matches('Das Café')).toBe(false)
  expect(matcher('  ')('anything')).toBe(false)
})

it('lists titles first, then messages, the newest chat first, each chat once', async () => {
  const chats = [
    chat('old', 'About ships', 1),
    chat('b', 'Other', 2),
    chat('c', 'Third', 9),
    chat('d', 'Nothing', 99),
    chat('new', 'New ships', 3),
  ]
  const batches = [
    [message('old', 'ships', 5), message('b', 'A fleet of ships sails.', 6)],
    [message('b', 'older ships', 4), message('c', 'one ship', 7), message('d', 'nothing')],
  ]
  expect(await search('ship', chats, batches)).toEqual([
    { chatId: 'new', snippet: undefined, messageId: undefined },
    { chatId: 'old', snippet: undefined, messageId: 'old5' },
    { chatId: 'c', snippet: 'one ship', messageId: 'c7' },
    { chatId: 'b', snippet: 'A fleet of ships sails.', messageId: 'b6' },
  ])
})

it('does not search thoughts', async () => {
  expect(await search('secret', [chat('a', '')], [[message('a', '<think>secret</think>Open')]])).toEqual([])
})

it('a snippet shows the match', () => {
  const text = `${'before '.repeat(30)}needle\n${'after '.repeat(30)}`
  expect(snippetOf(text, 'needle')).toMatch(/^…before before needle after.*…$/)
  expect(snippetOf(`${'x'.repeat(90)}needle`, 'needle')).toBe(`…${'x'.repeat(16)}needle`)
  expect(snippetOf('short needle', 'needle')).toBe('short needle')
})
