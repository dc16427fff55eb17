import { expect, it } from 'vitest'
import { groupChats } from '../chat/chat-groups.ts'
import type { Side } from '../chat/types.ts'
import type { Script } from '../testing/kept-answer-server.ts'
import { createTestPage } from '../testing/test-page.ts'
import { Comparison } from './comparison.ts'

const says = (...words: string[]): Script => ({ words })
const starts = { a: { model: 'small', settings: { temperature: 0 } }, b: { model: 'small' } }

function compare(...scripts: Script[]) {
  const page = createTestPage({ scripts })
  const comparison = new Comparison(page)
  const texts = (side: Side) => page.texts(comparison.side(side)!.id)
  const send = async (text: string) => {
    comparison.send({ text, attachments: [] })
    await page.settled()
  }
  const listed = () => groupChats(page.chats.get().chats.values(), new Date()).flatMap(({ chats }) => chats)
  return { ...page, comparison, texts, send, listed }
}

it('sends each message to both sides, each with its settings, and stays out of the list', async () => {
  const { comparison, server, texts, send, listed } = compare(says('A1'), says('B1'), says('A2'), says('B2'))
  comparison.ensure(starts)
  comparison.ensure(starts)
  await send('Q1')
  await send('Q2')
  expect([texts('a'), texts('b')]).toEqual([
    ['Q1', 'A1', 'Q2', 'A2'],
    ['Q1', 'B1', 'Q2', 'B2'],
  ])
  expect(server.requests.map(({ temperature }) => temperature)).toEqual([0, undefined, 0, undefined])
  expect(listed()).toEqual([])
})

it('keeps a side as a chat, deletes the other, and undoes that', async () => {
  const { comparison, chats, texts, send, listed } = compare(says('A1'), says('B1'))
  comparison.ensure(starts)
  await send('Q1')
  const undo = await comparison.keep('b')
  expect(listed().map(({ title }) => title)).toEqual(['Q1'])
  expect(chats.get().chats.size).toBe(1)
  // A new comparison begins meanwhile.
  comparison.ensure(starts)
  undo()
  await expect.poll(() => chats.get().chats.size).toBe(2)
  expect([texts('a'), texts('b')]).toEqual([
    ['Q1', 'A1'],
    ['Q1', 'B1'],
  ])
  expect(listed()).toEqual([])
})

it('replaces the earlier comparison, which can be restored', async () => {
  const { comparison, chats, texts, send } = compare(says('A1'), says('B1'))
  expect(await comparison.begin(starts)).toBeUndefined()
  await send('Q1')
  const undo = await comparison.begin(starts)
  expect([texts('a'), texts('b')]).toEqual([[], []])
  expect(chats.get().chats.size).toBe(2)
  undo!()
  await expect.poll(() => chats.get().chats.size).toBe(2)
  expect(texts('a')).toEqual(['Q1', 'A1'])
})

it('compares an answer of a chat with a new one, and leaves the chat unchanged', async () => {
  const { comparison, conversation, newChat, say, path, texts, settled, chats } = compare(
    says('A1'),
    says('B1'),
  )
  const chat = newChat()
  await say(chat, 'Q1')
  const answer = path(chat)[1]!
  await comparison.compareAnswer(answer, 'small')
  expect([texts('a'), texts('b')]).toEqual([['Q1', 'A1'], ['Q1']])
  const b = comparison.side('b')!
  conversation.answer(b.id, path(b.id)[0]!.id)
  await settled()
  expect(texts('b')).toEqual(['Q1', 'B1'])
  expect(path(chat).map(({ id }) => id)).toContain(answer.id)
  expect(path(b.id)[0]!.id).not.toBe(path(chat)[0]!.id)
  expect(chats.chat(chat)?.compared).toBeUndefined()
})

it('stops both sides', async () => {
  const never = { words: ['A'], pace: () => new Promise<void>(() => {}) }
  const { comparison, server, answers, path } = compare(never, never)
  comparison.ensure(starts)
  comparison.send({ text: 'Q', attachments: [] })
  await expect.poll(() => server.requests.length).toBe(2)
  comparison.stop()
  expect(answers.live.get().size).toBe(0)
  expect(path(comparison.side('a')!.id).at(-1)?.status).toBe('stopped')
})
