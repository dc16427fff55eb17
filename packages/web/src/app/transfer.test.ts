import { describe, expect, it } from 'vitest'
import { createArchive } from '../chat/chat-archive.ts'
import { siblingsOf } from '../chat/message-tree.ts'
import { createNotices } from '../state/notices.ts'
import { createStore } from '../store.ts'
import { createTestPage } from '../testing/test-page.ts'
import type { Route } from './router.ts'
import { deleteAllChats, importChats } from './transfer.ts'

type TestPage = ReturnType<typeof createTestPage>

/** A page with one chat, whose answer has two versions. */
async function pageWithChat(): Promise<{ readonly page: TestPage; readonly chatId: string }> {
  const page = createTestPage({ scripts: [{ words: ['one'] }, { words: ['two'] }, { words: ['three'] }] })
  const chatId = page.newChat()
  await page.say(chatId, 'Count')
  page.conversation.regenerate(chatId, page.path(chatId).at(-1)!.id)
  await page.settled()
  return { page, chatId }
}

async function exported({ chats, repository }: TestPage, name = 'chats.json'): Promise<File> {
  const all = [...chats.get().chats.values()]
  const messages = await Promise.all(
    all.map(async ({ id }) => [id, await repository.loadMessages(id)] as const),
  )
  return new File([JSON.stringify(createArchive(all, new Map(messages), new Date(0)))], name)
}

describe('an import', () => {
  it('adds a chat with its versions, once', async () => {
    const { page, chatId } = await pageWithChat()
    const file = await exported(page)
    const other = createTestPage()
    expect(await importChats(other, file)).toEqual({
      counts: { added: 1, updated: 0, unchanged: 0, presets: 0 },
    })
    await other.chats.open(chatId)
    expect(other.texts(chatId)).toEqual(['Count', 'two'])
    expect(siblingsOf(other.chats.tree(chatId), other.path(chatId).at(-1)!.id).ids).toHaveLength(2)
    expect(await importChats(other, file)).toEqual({
      counts: { added: 0, updated: 0, unchanged: 1, presets: 0 },
    })
  })

  it('takes what is newer, and keeps what is newer here', async () => {
    const { page, chatId } = await pageWithChat()
    const other = createTestPage()
    const old = await exported(page)
    await importChats(other, old)
    await new Promise((resolve) => setTimeout(resolve, 2))
    await page.say(chatId, 'More')
    expect(await importChats(other, await exported(page))).toEqual({
      counts: { added: 0, updated: 1, unchanged: 0, presets: 0 },
    })
    await other.chats.open(chatId)
    expect(other.texts(chatId)).toEqual(['Count', 'two', 'More', 'three'])
    expect(await importChats(other, old)).toEqual({
      counts: { added: 0, updated: 0, unchanged: 1, presets: 0 },
    })
    expect(other.texts(chatId)).toHaveLength(4)
  })

  it('takes presets and preferences, and keeps those that were chosen here', async () => {
    const archive = createArchive([], new Map(), new Date(0), {
      presets: [
        { name: 'Pirate', settings: { systemPrompt: 'Arr' } },
        { name: 'Cold', settings: { temperature: 0 } },
      ],
      preferences: { theme: 'dark', language: 'de', model: 'theirs' },
    })
    const file = () => new File([JSON.stringify(archive)], 'a.json')
    const page = createTestPage()
    page.presets.save('Pirate', { systemPrompt: 'Ahoy' })
    page.preferences.change({ theme: 'light' })
    expect(await importChats(page, file())).toMatchObject({ counts: { added: 0, presets: 2 } })
    expect(page.presets.get().map(({ name }) => name)).toEqual(['Cold', 'Pirate', 'Pirate (2)'])
    expect(page.preferences.get()).toMatchObject({ theme: 'light', language: 'de', model: 'theirs' })
    expect(await importChats(page, file())).toMatchObject({ counts: { added: 0, presets: 0 } })
    expect(page.presets.get()).toHaveLength(3)
  })

  it.each([
    ['has not begun', [], ['a', 'b'], 2],
    ['has begun', ['Here'], ['a', 'b', undefined, undefined], 4],
  ])('a comparison joins one that %s', async (_, said, sidesAfter, chatCount) => {
    const scripts = Array.from({ length: 4 }, () => ({ words: ['answer'] }))
    const compared = async (questions: readonly string[]) => {
      const page = createTestPage({ scripts })
      for (const side of ['a', 'b'] as const) {
        const { id } = page.conversation.createChat('small', {}, { compared: side })
        for (const question of questions) await page.say(id, question)
      }
      return page
    }
    const file = await exported(await compared(['There']))
    const page = await compared(said)
    await importChats(page, file)
    const all = [...page.chats.get().chats.values()]
    expect(all).toHaveLength(chatCount)
    expect(all.map((chat) => chat.compared).toSorted()).toEqual(sidesAfter)
    if (said.length === 0) expect(all.every(({ title }) => title === 'There')).toBe(true)
  })

  it('reports what is wrong with a file', async () => {
    const page = createTestPage()
    const problem = async (text: string) => (await importChats(page, new File([text], 'a.json'))).problem
    expect(await problem('{"format":"petals-chat","chats":[{"id":')).toBe('not-json')
    expect(await problem('{"messages":[]}')).toBe('not-archive')
    expect(await problem('{"format":"petals-chat","version":9,"chats":[]}')).toBe('too-new')
    expect(await problem('{"format":"petals-chat","version":1,"chats":[]}')).toBe('empty')
    const gone = Object.assign(new File([], 'gone.json'), { text: () => Promise.reject(new Error('gone')) })
    expect(await importChats(page, gone)).toEqual({ problem: 'unreadable' })
    const full = createTestPage()
    full.repository.putMessages = () => Promise.reject(new Error('QuotaExceededError'))
    const { page: source } = await pageWithChat()
    expect(await importChats(full, await exported(source))).toEqual({ problem: 'not-kept' })
  })
})

it('deletes all chats from memory and storage, and restores them', async () => {
  const { page, chatId } = await pageWithChat()
  const notices = createNotices()
  const route = createStore<Route>({ page: 'chat', chatId })
  const router = { get: route.get, subscribe: route.subscribe, go: route.set }
  await page.repository.putDraft({ id: 'new', text: 'kept', attachments: [] })
  await page.repository.putDraft({ id: chatId, text: 'gone', attachments: [] })
  await deleteAllChats({ ...page, notices, router })
  expect(route.get()).toEqual({ page: 'new' })
  expect(page.chats.get().chats.size).toBe(0)
  expect(await page.repository.loadChats()).toEqual([])
  expect(await page.repository.loadMessages(chatId)).toEqual([])
  expect((await page.repository.loadDrafts()).map(({ id }) => id)).toEqual(['new'])
  const [notice] = notices.get()
  expect(notice).toMatchObject({ text: 'allDeleted', action: { label: 'undo' } })
  notice!.action!.run()
  await page.settled()
  await page.chats.open(chatId)
  expect(page.texts(chatId)).toEqual(['Count', 'two'])
  expect(await page.repository.loadMessages(chatId)).toHaveLength(3)
})
