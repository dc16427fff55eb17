import 'fake-indexeddb/auto'
import { afterEach, describe, expect, it } from 'vitest'
import { createId } from '../chat/id.ts'
import { DexieRepository } from '../storage/dexie-repository.ts'
import { KeptAnswerServer, type Script } from '../testing/kept-answer-server.ts'
import { createTestPage } from '../testing/test-page.ts'
import { AnswerHandover } from './answer-handover.ts'
import { createAnswerLocks } from './answer-locks.ts'
import { parseTabMessage } from './tab-message.ts'
import { createTabs } from './tabs.ts'

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

/** The pages of one browser, with a shared database, channel, locks and server. */
async function openTabs(...scripts: Script[]) {
  return openTabsWith(navigator.locks, scripts)
}

/** Over plain http from another machine browsers have no locks. */
async function openTabsWith(lockManager: LockManager | undefined, scripts: readonly Script[]) {
  const name = createId()
  const server = new KeptAnswerServer(...scripts)
  const tab = async () => {
    const channel = new BroadcastChannel(name)
    const repository = await DexieRepository.open(name)
    open.push(() => {
      channel.close()
      repository.close()
    })
    const page = createTestPage({
      server,
      repository,
      locks: createAnswerLocks(lockManager),
      tabs: createTabs(channel),
    })
    await page.chats.load()
    return page
  }
  return { one: await tab(), two: await tab(), channel: new BroadcastChannel(name), open: tab }
}

/** Words that arrive one by one when the test releases them. */
function paced(...words: string[]) {
  let left = 0
  let wake = () => {}
  const pace = async (): Promise<void> => {
    while (left === 0) await new Promise<void>((resolve) => (wake = resolve))
    left--
  }
  const allow = (words: number): void => {
    left += words
    wake()
  }
  return { script: { words, pace }, allow }
}

describe('two tabs', () => {
  it('show the same chats, messages, names and drafts', async () => {
    const { one, two } = await openTabs({ words: ['Hi.'] })
    const chat = one.newChat()
    await expect.poll(() => two.chats.chat(chat)).toBeDefined()
    await two.chats.open(chat)
    await one.say(chat, 'Hello')
    await expect.poll(() => two.texts(chat)).toEqual(['Hello', 'Hi.'])
    await expect.poll(() => two.path(chat)[1]?.status).toBe('done')
    expect(two.chats.chat(chat)?.title).toBe('Hello')

    two.chats.updateChat(chat, { title: 'Renamed', pinned: true })
    await expect.poll(() => one.chats.chat(chat)).toMatchObject({ title: 'Renamed', pinned: true })

    const undo = one.conversation.deleteBranch(chat, one.path(chat)[1]!.id)
    await expect.poll(() => two.texts(chat)).toEqual(['Hello'])
    undo()
    await expect.poll(() => two.texts(chat)).toEqual(['Hello', 'Hi.'])

    one.drafts.change(chat, { text: 'And then' })
    await expect.poll(() => two.drafts.draft(chat).text).toBe('And then')
    two.drafts.clear(chat)
    await expect.poll(() => one.drafts.draft(chat).text).toBe('')

    const restore = await two.conversation.deleteChat(chat)
    await expect.poll(() => one.chats.chat(chat)).toBeUndefined()
    restore()
    await expect.poll(() => one.chats.chat(chat)?.title).toBe('Renamed')
    await expect.poll(async () => (await one.repository.loadMessages(chat)).length).toBe(2)
    await one.chats.open(chat)
    expect(one.texts(chat)).toEqual(['Hello', 'Hi.'])
  })

  it('read along while one of them receives an answer, and only one requests it', async () => {
    const { script, allow } = paced('One', ' two', ' three')
    const { one, two, open } = await openTabs(script)
    const chat = one.newChat()
    one.conversation.send(chat, { text: 'Count', attachments: [] })
    allow(2)
    const shown = (page: typeof one) => [...page.answers.live.get().values()].map(({ content }) => content)
    await expect.poll(() => shown(two)).toEqual(['One two'])
    const late = await open()
    void late.handover.resumeAll()
    allow(1)
    await expect.poll(() => shown(late)).toEqual(['One two three'])
    allow(2)
    await one.settled()
    await expect.poll(() => [...shown(two), ...shown(late)]).toEqual([])
    await late.chats.open(chat)
    expect(late.path(chat)[1]).toMatchObject({ content: 'One two three', status: 'done' })
    // The others were waiting to take over.
    await expect.poll(() => navigator.locks.query()).toMatchObject({ held: [], pending: [] })
    expect(one.server.requests).toHaveLength(1)
    expect(one.server.resumedAfter).toEqual([])
  })

  it.each(['before', 'after'])('stop an answer of the other one, %s its first word', async (when) => {
    const { script, allow } = paced('One', ' two')
    const { one, two } = await openTabs(script)
    const chat = one.newChat()
    await expect.poll(() => two.chats.chat(chat)).toBeDefined()
    await two.chats.open(chat)
    one.conversation.send(chat, { text: 'Count', attachments: [] })
    if (when === 'after') allow(1)
    await expect.poll(() => two.answers.live.get().size).toBe(1)
    two.conversation.stop(two.path(chat)[1]!)
    await expect.poll(() => two.path(chat)[1]?.status).toBe('stopped')
    await expect.poll(() => one.server.cancelled).toContain('ans_1')
    expect(one.answers.live.get().size + two.answers.live.get().size).toBe(0)
  })

  it('end an answer whose chat the other one deletes', async () => {
    const { one, two } = await openTabs(paced('One').script)
    const chat = one.newChat()
    one.conversation.send(chat, { text: 'Count', attachments: [] })
    await expect.poll(() => two.answers.live.get().size).toBe(1)
    await two.conversation.deleteChat(chat)
    await expect.poll(() => one.chats.chat(chat)).toBeUndefined()
    await expect.poll(() => one.server.cancelled).toContain('ans_1')
    expect(one.answers.live.get().size).toBe(0)
  })

  it('continue where the other one was when it is closed', async () => {
    const { script, allow } = paced('One', ' two', ' three')
    const { one, two } = await openTabs(script)
    const chat = one.newChat()
    await expect.poll(() => two.chats.chat(chat)).toBeDefined()
    // The receiving tab is closed: its lock is released, and it sends nothing more.
    const closed = Promise.withResolvers<void>()
    const message = {
      id: 'answer',
      chatId: chat,
      parentId: null,
      role: 'assistant',
      model: 'small',
      content: 'One',
      createdAt: Date.now(),
      status: 'streaming',
      position: { answerId: 'ans_1', eventId: 'ans_1:1' },
    } as const
    void navigator.locks.request('petals-chat.answer.answer', () => closed.promise)
    allow(1)
    const reading = one.server.request(
      { model: 'small', messages: [] },
      { signal: new AbortController().signal },
    )
    await reading.next()
    await one.chats.putMessages([message])
    await expect.poll(async () => (await navigator.locks.query()).pending?.length).toBe(1)
    expect(one.server.resumedAfter).toEqual([])
    closed.resolve()
    allow(4)
    await expect.poll(() => two.path(chat)[0]).toMatchObject({ content: 'One two three', status: 'done' })
    expect(one.server.resumedAfter).toEqual(['ans_1:1'])
    expect(one.server.requests).toHaveLength(1)
  })

  it('take over nothing if the database can’t be read', async () => {
    const handover = new AnswerHandover({
      repository: {
        loadStreaming: () => Promise.resolve([]),
        loadMessage: () => Promise.reject(new Error('The database is closed.')),
      },
      conversation: { resume: () => Promise.resolve() },
      locks: { exclusive: true, hold: (_, task) => task() },
    })
    await expect(handover.follow('message')).resolves.toBeUndefined()
  })

  describe('without locks', () => {
    const openWithout = (...scripts: Script[]) => openTabsWith(undefined, scripts)

    it('take over from a silent tab', async () => {
      const { script, allow } = paced('One', ' two', ' three')
      const { one, two } = await openWithout(script)
      const chat = one.newChat()
      await expect.poll(() => two.chats.chat(chat)).toBeDefined()
      one.conversation.send(chat, { text: 'Count', attachments: [] })
      allow(1)
      await expect.poll(() => two.server.resumedAfter.length).toBe(1)
      allow(6)
      await expect.poll(() => two.path(chat)[1]).toMatchObject({ content: 'One two three', status: 'done' })
      await expect.poll(() => one.path(chat)[1]).toMatchObject({ content: 'One two three', status: 'done' })
      await expect.poll(() => one.answers.live.get().size + two.answers.live.get().size).toBe(0)
      expect(one.server.requests).toHaveLength(1)
      expect(one.server.cancelled).toEqual([])
    })

    it('do not repeat a request that has not begun', async () => {
      const headers = Promise.withResolvers<void>()
      const { one, two } = await openWithout({ words: ['One'], beforeHeaders: headers.promise })
      const chat = one.newChat()
      await expect.poll(() => two.chats.chat(chat)).toBeDefined()
      await two.chats.open(chat)
      one.conversation.send(chat, { text: 'Count', attachments: [] })
      await new Promise((resolve) => setTimeout(resolve, 200))
      headers.resolve()
      await expect.poll(() => two.path(chat)[1]).toMatchObject({ content: 'One', status: 'done' })
      expect(one.server.requests).toHaveLength(1)
    })

    it('drop an answer that another tab has completed', async () => {
      const { script, allow } = paced('One', ' two')
      const { one, two } = await openWithout(script)
      const chat = one.newChat()
      await expect.poll(() => two.chats.chat(chat)).toBeDefined()
      await two.chats.open(chat)
      one.conversation.send(chat, { text: 'Count', attachments: [] })
      allow(1)
      await expect.poll(() => two.answers.isReceiving(two.path(chat)[1]?.id ?? '')).toBe(true)
      one.conversation.stop(one.path(chat)[1]!)
      await expect.poll(() => two.answers.isReceiving(two.path(chat)[1]!.id)).toBe(false)
      expect(two.path(chat)[1]).toMatchObject({ content: 'One', status: 'stopped' })
    })
  })

  it('ignore messages of another version in another shape', async () => {
    const { one, two, channel } = await openTabs()
    open.push(() => channel.close())
    const chat = one.newChat()
    await expect.poll(() => two.chats.chat(chat)).toBeDefined()
    for (const strange of [
      null,
      'live',
      { type: 'constructor' },
      { type: 'removed' },
      { type: 'chats', chats: [{ id: chat, title: 7 }] },
      { type: 'messages', messages: [{ id: 'a', chatId: chat, content: ['parts'] }] },
      { type: 'live', answer: { messageId: 'a', chatId: chat, content: {} } },
      { type: 'draft', draft: { id: chat, text: 'x' } },
    ]) {
      expect(parseTabMessage(strange)).toBeUndefined()
      channel.postMessage(strange)
    }
    one.drafts.change(chat, { text: 'last' })
    await expect.poll(() => two.drafts.draft(chat).text).toBe('last')
    expect(two.chats.chat(chat)?.title).toBe('')
    expect(two.answers.live.get().size).toBe(0)
  })

  it('understand a newer version with additional fields', () => {
    const stop = { type: 'stop', messageId: 'a', reason: 'new' }
    expect(parseTabMessage(stop)).toBe(stop)
  })
})
