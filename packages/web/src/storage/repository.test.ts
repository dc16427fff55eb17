import 'fake-indexeddb/auto'
import { Dexie } from 'dexie'
import { describe, expect, it } from 'vitest'
import type { Message } from '../chat/types.ts'
import type { ChatRepository } from './chat-repository.ts'
import { DexieRepository } from './dexie-repository.ts'
import { MemoryRepository } from './memory-repository.ts'

const message = (id: string, chatId: string, status: Message['status'] = 'done'): Message => ({
  id,
  chatId,
  parentId: null,
  role: 'user',
  content: id,
  createdAt: 1,
  status,
})

let databases = 0
const repositories: readonly (readonly [string, () => Promise<ChatRepository>])[] = [
  ['DexieRepository', () => DexieRepository.open(`test-${databases++}`)],
  ['MemoryRepository', () => Promise.resolve(new MemoryRepository())],
]

describe.each(repositories)('%s', (_name, open) => {
  it('keeps messages by chat, and finds unfinished answers', async () => {
    const repository = await open()
    await repository.putMessages([message('1', 'a'), message('2', 'a', 'streaming'), message('3', 'b')])
    await repository.putMessages([message('1', 'a', 'stopped')])
    expect((await repository.loadMessages('a')).map(({ status }) => status)).toEqual(['stopped', 'streaming'])
    expect((await repository.loadStreaming()).map(({ id }) => id)).toEqual(['2'])
    expect(await repository.loadMessage('3')).toMatchObject({ chatId: 'b' })
    expect(await repository.loadMessage('4')).toBeUndefined()
  })

  it('removes a chat with its messages and its drafts', async () => {
    const repository = await open()
    await repository.putDraft({ id: 'edit:1', chatId: 'a', text: 'x', attachments: [], open: true })
    await repository.putMessages([message('1', 'a'), message('2', 'b')])
    await repository.putDraft({ id: 'a', text: 'x', attachments: [] })
    await repository.removeChat('a')
    expect(await repository.loadMessages('a')).toEqual([])
    expect(await repository.loadDrafts()).toEqual([])
    expect(await repository.loadMessages('b')).toHaveLength(1)
  })

  it('removes all chats, and keeps the draft of the next one', async () => {
    const repository = await open()
    await repository.putMessages([message('1', 'a'), message('2', 'b')])
    for (const id of ['a', 'new']) await repository.putDraft({ id, text: 'x', attachments: [] })
    for (const chatId of ['a', 'new'])
      await repository.putDraft({ id: `settings:${chatId}`, chatId, text: '', attachments: [], form: {} })
    await repository.removeAllChats()
    expect(await repository.loadMessages('a')).toEqual([])
    expect(await repository.loadMessages('b')).toEqual([])
    expect((await repository.loadDrafts()).map(({ id }) => id)).toEqual(['new', 'settings:new'])
  })

  it('yields all messages, each once', async () => {
    const repository = await open()
    await repository.putMessages(Array.from({ length: 1234 }, (_, index) => message(`${index}`, 'a')))
    const seen: string[] = []
    for await (const batch of repository.scanMessages()) seen.push(...batch.map(({ id }) => id))
    expect(new Set(seen).size).toBe(1234)
    expect(seen).toHaveLength(1234)
  })
})

it('upgrades the database of the first version', async () => {
  const old = new Dexie('old')
  old.version(1).stores({ chats: 'id', messages: 'id, chatId' })
  await old.open()
  await old.table('messages').put(message('1', 'a', 'streaming'))
  old.close()
  const repository = await DexieRepository.open('old')
  expect((await repository.loadStreaming()).map(({ id }) => id)).toEqual(['1'])
  repository.close()
})
