import 'fake-indexeddb/auto'
import { describe, expect, it } from 'vitest'
import type { Chat, Draft, Message } from '../chat/types.ts'
import { DexieRepository } from './dexie-repository.ts'
import { type JournalStorage, type Write, WriteJournal } from './write-journal.ts'

const draft: Draft = { id: 'new', text: 'Half a question', attachments: [] }
const chat: Chat = {
  id: 'c',
  title: 'Old',
  titledByUser: false,
  createdAt: 1,
  updatedAt: 1,
  pinned: false,
  model: 'm',
  settings: {},
  leafId: null,
}
const message: Message = {
  id: 'm',
  chatId: 'c',
  parentId: null,
  role: 'assistant',
  content: 'new words',
  createdAt: 1,
  savedAt: 5,
  status: 'streaming',
}

function memoryStorage(): JournalStorage {
  const values = new Map<string, string>()
  return {
    get length() {
      return values.size
    },
    key: (index) => [...values.keys()][index] ?? null,
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  }
}

/** A page that is closed while these writes have not ended. */
function leave(storage: JournalStorage, ...writes: readonly Write[]): WriteJournal {
  const journal = new WriteJournal(storage)
  for (const write of writes) void journal.during(write, () => new Promise(() => {}))
  journal.leave()
  return journal
}

describe('a journal of writes', () => {
  it('gives the next page what the closed ones had not finished, once', () => {
    const storage = memoryStorage()
    leave(storage, { draft })
    leave(storage, { sentDraft: 'other' })
    const next = new WriteJournal(storage)
    expect(next.take()).toEqual([{ draft }, { sentDraft: 'other' }])
    expect(next.take()).toEqual([])
  })

  it('leaves nothing of writes that have ended or failed, nor of a page that stays', async () => {
    const storage = memoryStorage()
    const journal = new WriteJournal(storage)
    await journal.during({ draft }, () => Promise.resolve())
    const failing = journal.during({ draft }, () => Promise.reject(new Error('full')))
    await expect(failing).rejects.toThrow('full')
    journal.leave()
    expect(storage.length).toBe(0)
    leave(storage, { draft }).stay()
    expect(storage.length).toBe(0)
  })

  it('survives a full storage, a refused one, and foreign text', () => {
    const full = memoryStorage()
    full.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError')
    }
    leave(full, { draft })
    leave(memoryStorage())
    expect(new WriteJournal(undefined).take()).toEqual([])
    const foreign = memoryStorage()
    leave(foreign, { draft })
    for (const text of ['{', '7', 'null']) {
      foreign.setItem(foreign.key(0) ?? '', text)
      const journal = new WriteJournal(foreign)
      expect(journal.take()).toEqual([])
      leave(foreign, { draft })
    }
  })
})

describe('a repository that opens', () => {
  it('repeats the writes that a closed page has left', async () => {
    const storage = memoryStorage()
    leave(storage, { chats: [chat] }, { messages: [message] }, { draft })
    const repository = await DexieRepository.open('journal-1', new WriteJournal(storage))
    expect(await repository.loadChats()).toEqual([chat])
    expect(await repository.loadMessages('c')).toEqual([message])
    expect(await repository.loadDrafts()).toEqual([draft])
    leave(storage, { sentDraft: 'new' })
    await repository.repeatLeftWrites()
    expect(await repository.loadDrafts()).toEqual([])
  })

  it('keeps what another tab has written since', async () => {
    const storage = memoryStorage()
    const repository = await DexieRepository.open('journal-2', new WriteJournal(storage))
    const newerChat = { ...chat, title: 'New', updatedAt: 2 }
    const newerMessage: Message = { ...message, content: 'the end', savedAt: 6, status: 'done' }
    await repository.putChats([newerChat])
    await repository.putMessages([newerMessage])
    leave(storage, { chats: [chat] }, { messages: [message] })
    await repository.repeatLeftWrites()
    expect(await repository.loadChats()).toEqual([newerChat])
    expect(await repository.loadMessages('c')).toEqual([newerMessage])
  })

  it('opens although a write that was left is not one', async () => {
    const storage = memoryStorage()
    leave(storage, { messages: 'x' } as unknown as Write, { draft })
    const repository = await DexieRepository.open('journal-3', new WriteJournal(storage))
    expect(await repository.loadDrafts()).toEqual([draft])
  })
})
