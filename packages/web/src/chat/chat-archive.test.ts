import { expect, it } from 'vitest'
import { createArchive, parseArchive } from './chat-archive.ts'
import type { Chat, Message } from './types.ts'

const chat: Chat = {
  id: 'c1',
  title: 'Ships',
  titledByUser: true,
  createdAt: 1,
  updatedAt: 2,
  pinned: true,
  model: 'small',
  settings: { systemPrompt: 'Be brief.', temperature: 0.5, stop: ['###'] },
  leafId: 'm2',
}
const question: Message = {
  id: 'm1',
  chatId: 'c1',
  parentId: null,
  role: 'user',
  content: 'Hello',
  attachments: [{ id: 'a1', name: 'a.txt', text: 'text' }],
  createdAt: 1,
  status: 'done',
}
const answer: Message = {
  id: 'm2',
  chatId: 'c1',
  parentId: 'm1',
  role: 'assistant',
  content: 'Hi',
  reasoning: 'Hm.',
  createdAt: 2,
  status: 'done',
  model: 'small',
  stats: { completionTokens: 3 },
}
const archived = (messages: readonly Message[]) =>
  JSON.stringify(createArchive([chat], new Map([['c1', messages]]), new Date(0)))

it('an import restores what was exported', () => {
  const content = parseArchive(archived([question, answer]))
  expect(content.chats).toEqual([chat])
  expect(content.messages).toEqual([question, answer])
})

it('exports an unfinished answer as interrupted', () => {
  const position = 'ans_1:4' as unknown as Message['position']
  const [message] = parseArchive(
    archived([{ ...answer, status: 'streaming', position, savedAt: 5 }]),
  ).messages
  expect(message).toEqual({ ...answer, status: 'interrupted' })
})

it.each([
  ['{}', 'not-archive'],
  ['[]', 'not-archive'],
  ['{"format":"other","chats":[]}', 'not-archive'],
  ['{"format":"petals-chat","version":3,"chats":[]}', 'too-new'],
  ['{"format":"petals-chat","version":1,"chats":[{"title":"no id"}]}', 'empty'],
  ['nonsense', 'not-json'],
  [archived([question]).slice(0, -9), 'not-json'],
])('refuses %s', (json, problem) =>
  expect(() => parseArchive(json)).toThrow(expect.objectContaining({ name: 'ArchiveError', problem })),
)

it('drops unknown fields and values of the wrong type', () => {
  const json = JSON.stringify({
    format: 'petals-chat',
    version: 1,
    chats: [
      {
        id: 'c',
        title: 5,
        pinned: 'yes',
        settings: { temperature: 'hot', evil: 1, topK: 4 },
        messages: [
          { id: 'm', role: 'system' },
          7,
          { id: 'n', role: 'user', content: {}, chatId: 'other', html: '<b>' },
        ],
      },
      { title: 'no id' },
    ],
  })
  const { chats, messages } = parseArchive(json)
  expect(chats).toHaveLength(1)
  expect(chats[0]).toMatchObject({ title: '', pinned: false, settings: { topK: 4 } })
  expect(messages).toHaveLength(1)
  expect(messages[0]).toMatchObject({ id: 'n', chatId: 'c', content: '', status: 'interrupted' })
  expect(messages[0]).not.toHaveProperty('html')
})

it('treats names like __proto__ as ordinary names', () => {
  const json = `{"format":"petals-chat","version":1,"chats":[{"id":"__proto__","__proto__":{"pinned":true}}]}`
  expect(parseArchive(json).chats).toMatchObject([{ id: '__proto__', pinned: false }])
})
