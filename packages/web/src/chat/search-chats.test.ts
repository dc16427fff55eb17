import { expect, test } from 'vitest'
import { matcher, searchChats, snippetOf, type ChatHit } from './search-chats.ts'
import type { Chat, Message } from './types.ts'

const chat = (id: string, title: string) => ({ id, title }) as Chat
const message = (chatId: string, content: string) => ({ chatId, content }) as Message

async function search(query: string, chats: Chat[], batches: Message[][]): Promise<ChatHit[]> {
  async function* scan() {
    for (const batch of batches) yield await Promise.resolve(batch)
  }
  const hits: ChatHit[] = []
  for await (const more of searchChats(query, chats, scan())) hits.push(...more)
  return hits
}

test('finds words in any order, without regard to case and accents', () => {
  const matches = matcher('CAFE über')
  expect(matches('Über das Café')).toBe(true)
  expect(matches('Das Café')).toBe(false)
  expect(matcher('  ')('anything')).toBe(false)
})

test('titles come first, then messages, each chat once', async () => {
  const chats = [chat('a', 'About ships'), chat('b', 'Other'), chat('c', 'Third')]
  const batches = [
    [message('a', 'ships'), message('b', 'A fleet of ships sails.')],
    [message('b', 'ships again'), message('c', 'nothing')],
  ]
  expect(await search('ship', chats, batches)).toEqual([
    { chatId: 'a', snippet: undefined },
    { chatId: 'b', snippet: 'A fleet of ships sails.' },
  ])
})

test('what a model thought is not what it said', async () => {
  expect(await search('secret', [], [[message('a', '<think>secret</think>Open')]])).toEqual([])
})

test('a snippet shows the place', () => {
  const text = `${'before '.repeat(30)}needle\n${'after '.repeat(30)}`
  expect(snippetOf(text, 'needle')).toMatch(/^…before before needle after.*…$/)
  expect(snippetOf(`${'x'.repeat(90)}needle`, 'needle')).toBe(`…${'x'.repeat(16)}needle`)
  expect(snippetOf('short needle', 'needle')).toBe('short needle')
})
