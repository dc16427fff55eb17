import { describe, expect, it } from 'vitest'
import { siblingsOf } from '../chat/message-tree.ts'
import { KeptAnswerServer, type Script } from '../testing/kept-answer-server.ts'
import { createTestPage } from '../testing/test-page.ts'

const says = (...words: string[]): Script => ({ words })
const last = <T>(list: readonly T[]): T => list.at(-1)!

describe('a conversation', () => {
  it('keeps questions and answers, and names the chat after the first question', async () => {
    const page = createTestPage({ scripts: [says('Hi.'), says('Bye.')] })
    const chat = page.newChat()
    await page.say(chat, '# Hello there')
    await page.say(chat, 'Leave')
    expect(page.texts(chat)).toEqual(['# Hello there', 'Hi.', 'Leave', 'Bye.'])
    expect(page.chats.chat(chat)?.title).toBe('Hello there')
    expect(last(page.server.requests).messages.map(({ content }) => content)).toEqual([
      '# Hello there',
      'Hi.',
      'Leave',
    ])
    const stored = await page.repository.loadMessages(chat)
    expect(stored.map(({ status }) => status)).toEqual(['done', 'done', 'done', 'done'])
    // The server need not keep answers that are saved here.
    expect(page.server.forgotten).toEqual(['ans_1', 'ans_2'])
  })

  it('regenerates an answer as another version, with the same messages', async () => {
    const page = createTestPage({ scripts: [says('A'), says('B'), says('C')] })
    const chat = page.newChat()
    await page.say(chat, 'Q')
    const first = last(page.path(chat)).id
    page.conversation.regenerate(chat, first)
    await page.settled()
    page.conversation.regenerate(chat, first)
    await page.settled()
    expect(page.texts(chat)).toEqual(['Q', 'C'])
    expect(siblingsOf(page.chats.tree(chat), last(page.path(chat)).id).index).toBe(2)
    expect(page.server.requests.map(({ messages }) => messages.length)).toEqual([1, 1, 1])
    page.conversation.showVersion(chat, last(page.path(chat)).id, -1)
    expect(page.texts(chat)).toEqual(['Q', 'B'])
  })

  it('branches when a question is edited, and moves between the branches', async () => {
    const page = createTestPage({ scripts: [says('A1'), says('A2'), says('B1')] })
    const chat = page.newChat()
    await page.say(chat, 'Q1')
    await page.say(chat, 'Q2')
    const first = page.path(chat)[0]!.id
    page.conversation.edit(chat, first, { text: 'Q1 again', attachments: [] })
    await page.settled()
    expect(page.texts(chat)).toEqual(['Q1 again', 'B1'])
    page.conversation.showVersion(chat, page.path(chat)[0]!.id, -1)
    expect(page.texts(chat)).toEqual(['Q1', 'A1', 'Q2', 'A2'])
  })

  it('continues an answer that was cut at its limit', async () => {
    const page = createTestPage({
      scripts: [{ words: ['One', ' two'], finishReason: 'length' }, says(' three')],
    })
    const chat = page.newChat()
    await page.say(chat, 'Count')
    expect(last(page.path(chat)).status).toBe('length')
    page.conversation.continue(chat, last(page.path(chat)).id)
    await page.settled()
    expect(last(page.path(chat))).toMatchObject({ content: 'One two three', status: 'done' })
    expect(last(page.path(chat)).stats?.completionTokens).toBe(3)
    expect(last(page.server.requests)).toMatchObject({
      continue_final_message: true,
      messages: [{ content: 'Count' }, { role: 'assistant', content: 'One two' }],
    })
  })

  it('continues within thoughts that were cut', async () => {
    const page = createTestPage({ scripts: [says(), says(' it is.</think>', 'Yes.')] })
    const chat = page.newChat()
    await page.say(chat, 'Is it?')
    const answer = { ...last(page.path(chat)), reasoning: 'I think', status: 'interrupted' } as const
    await page.chats.putMessages([answer])
    page.conversation.continue(chat, answer.id)
    await page.settled()
    expect(last(last(page.server.requests).messages).content).toBe('<think>\nI think')
    expect(last(page.path(chat)).content).toBe('<think>\nI think it is.</think>Yes.')
  })

  it('retries a failed answer in its place, and keeps one that had begun', async () => {
    const error = { kind: 'server', message: 'It broke.' } as const
    const page = createTestPage({
      scripts: [{ words: [], error }, { words: ['Half'], errorAtEnd: error }, says('Whole')],
    })
    const chat = page.newChat()
    await page.say(chat, 'Q')
    expect(last(page.path(chat))).toMatchObject({ status: 'error', error: { message: 'It broke.' } })
    page.conversation.retry(chat, last(page.path(chat)).id)
    await page.settled()
    expect(page.texts(chat)).toEqual(['Q', 'Half'])
    page.conversation.retry(chat, last(page.path(chat)).id)
    await page.settled()
    expect(page.texts(chat)).toEqual(['Q', 'Whole'])
    expect(siblingsOf(page.chats.tree(chat), last(page.path(chat)).id).ids).toHaveLength(2)
  })

  it('starts an answer once, however often it is asked for', async () => {
    const page = createTestPage({
      scripts: [{ words: [], error: { kind: 'server', message: '' } }, says('A')],
    })
    const chat = page.newChat()
    await page.say(chat, 'Q')
    const { id } = last(page.path(chat))
    page.conversation.retry(chat, id)
    page.conversation.retry(chat, id)
    await page.settled()
    expect(page.server.requests).toHaveLength(2)
  })

  it('stops an answer whose request still waits for its lock, and sends no request', async () => {
    const granted = Promise.withResolvers<void>()
    const page = createTestPage({
      scripts: [says('A')],
      locks: { exclusive: true, hold: (_messageId, task) => granted.promise.then(task) },
    })
    const chat = page.newChat()
    page.conversation.send(chat, { text: 'Q', attachments: [] })
    page.conversation.stop(last(page.path(chat)))
    expect(last(page.path(chat)).status).toBe('stopped')
    granted.resolve()
    await page.settled()
    expect(page.server.requests).toEqual([])
    expect((await page.repository.loadMessages(chat)).map(({ status }) => status)).toEqual([
      'done',
      'stopped',
    ])
    page.conversation.retry(chat, last(page.path(chat)).id)
    await page.settled()
    expect(page.texts(chat)).toEqual(['Q', 'A'])
  })

  it.each(['branch', 'chat'] as const)(
    'sends no request for an answer that waits when its %s is deleted',
    async (deleted) => {
      const granted = Promise.withResolvers<void>()
      const page = createTestPage({
        locks: { exclusive: true, hold: (_messageId, task) => granted.promise.then(task) },
      })
      const chat = page.newChat()
      page.conversation.send(chat, { text: 'Q', attachments: [] })
      if (deleted === 'chat') await page.conversation.deleteChat(chat)
      else page.conversation.deleteBranch(chat, page.path(chat)[0]!.id)
      granted.resolve()
      await page.settled()
      expect(page.server.requests).toEqual([])
    },
  )

  it('deletes a branch with its running answer, and undoes that', async () => {
    const never = new Promise<void>(() => {})
    const page = createTestPage({ scripts: [says('A'), says('B'), { words: ['C'], pace: () => never }] })
    const chat = page.newChat()
    await page.say(chat, 'Q')
    page.conversation.regenerate(chat, last(page.path(chat)).id)
    await page.settled()
    page.conversation.send(chat, { text: 'More', attachments: [] })
    await expect.poll(() => page.server.requests.length).toBe(3)
    const undo = page.conversation.deleteBranch(chat, page.path(chat)[1]!.id)
    expect(page.texts(chat)).toEqual(['Q', 'A'])
    expect(page.answers.live.get().size).toBe(0)
    await expect.poll(() => page.server.cancelled).toEqual(['ans_3'])
    expect(await page.repository.loadMessages(chat)).toHaveLength(2)
    undo()
    expect(page.texts(chat)).toEqual(['Q', 'B', 'More', ''])
    expect(await page.repository.loadMessages(chat)).toHaveLength(5)
  })

  it('stores no messages of a deleted chat when the deletion of a message is undone', async () => {
    const page = createTestPage({ scripts: [says('A')] })
    const chat = page.newChat()
    await page.say(chat, 'Q')
    const undoMessage = page.conversation.deleteBranch(chat, last(page.path(chat)).id)
    const undoChat = await page.conversation.deleteChat(chat)
    undoMessage()
    expect(await page.repository.loadMessages(chat)).toEqual([])
    undoChat()
    expect(page.texts(chat)).toEqual(['Q'])
  })

  it.each([
    ['the first one first', [0, 1]],
    ['the last one first', [1, 0]],
    ['only the first', [0]],
  ])('undoes two deletions independently: %s', async (_, order) => {
    const page = createTestPage({ scripts: [says('A'), says('B')] })
    const chat = page.newChat()
    await page.say(chat, 'Q')
    await page.say(chat, 'More')
    const [, answer, question] = page.path(chat)
    const undo = [
      page.conversation.deleteBranch(chat, question!.id),
      page.conversation.deleteBranch(chat, answer!.id),
    ]
    expect(page.texts(chat)).toEqual(['Q'])
    for (const index of order) undo[index]!()
    expect(page.texts(chat).slice(0, 4)).toEqual(['Q', 'A', 'More', 'B'])
    expect(await page.repository.loadMessages(chat)).toHaveLength(4)
  })

  it('writes in several chats at once', async () => {
    const gate = Promise.withResolvers<void>()
    const page = createTestPage({ scripts: [{ words: ['A'], pace: () => gate.promise }, says('B')] })
    const [one, two] = [page.newChat(), page.newChat()]
    page.conversation.send(one, { text: 'Q', attachments: [] })
    page.conversation.send(two, { text: 'Q', attachments: [] })
    await expect.poll(() => page.texts(two)).toEqual(['Q', 'B'])
    expect([...page.answers.live.get().values()].map(({ chatId }) => chatId)).toEqual([one])
    gate.resolve()
    await page.settled()
    expect(page.texts(one)).toEqual(['Q', 'A'])
  })

  it('leaves out the oldest turns when a chat outgrows the context, and says so', async () => {
    const page = createTestPage({ scripts: Array.from({ length: 12 }, () => says('An answer.')) })
    const chat = page.newChat()
    for (let turn = 0; turn < 12; turn++) await page.say(chat, `${turn} ${'word '.repeat(48)}`)
    const shown = page.server.requests.map(({ messages }) => messages[0]!.content.split(' ')[0])
    expect(shown.slice(0, 6)).toEqual(Array(6).fill('0'))
    expect(Number(shown.at(-1))).toBeGreaterThan(3)
    // Not at every turn: the rest finds its KV cache.
    expect(new Set(shown).size).toBeLessThan(6)
    const answers = page.path(chat).filter(({ role }) => role === 'assistant')
    expect(answers[0]!.leftOut).toBeUndefined()
    const { leftOut } = last(answers)
    expect(page.path(chat)[leftOut!.messages]!.id).toBe(leftOut!.firstSeenId)
    expect(page.path(chat)[leftOut!.messages]!.content).toMatch(new RegExp(`^${shown.at(-1)} `))
  })

  it('continues after a reload where the page was closed', async () => {
    const gate = Promise.withResolvers<void>()
    let paces = 0
    const pace = () => (paces++ === 2 ? gate.promise : Promise.resolve())
    const server = new KeptAnswerServer({ words: ['One', ' two', ' three'], pace })
    const page = createTestPage({ server })
    const chat = page.newChat()
    page.conversation.send(chat, { text: 'Count', attachments: [] })
    await expect.poll(() => last(page.texts(chat))).toBe('')
    await expect.poll(() => [...page.answers.live.get().values()][0]?.content).toBe('One two')
    page.answers.saveAll()

    const reloaded = createTestPage({ server, repository: page.repository })
    await reloaded.chats.load()
    const resuming = reloaded.handover.resumeAll()
    gate.resolve()
    await resuming
    expect(reloaded.texts(chat)).toEqual(['Count', 'One two three'])
    expect(last(reloaded.path(chat)).status).toBe('done')
    expect(server.requests).toHaveLength(1)
  })

  const left = (chatId: string, changes: object) =>
    ({
      id: 'a',
      chatId,
      parentId: null,
      role: 'assistant',
      model: 'small',
      content: '',
      createdAt: Date.now(),
      status: 'streaming',
      ...changes,
    }) as const

  it('requests an answer again that was left before its first word', async () => {
    const page = createTestPage({ scripts: [says('Hi.')] })
    const chat = page.newChat()
    await page.repository.putMessages([left(chat, {})])
    const reloaded = createTestPage(page)
    await reloaded.chats.load()
    await reloaded.handover.resumeAll()
    expect((await page.repository.loadMessages(chat))[0]).toMatchObject({ content: 'Hi.', status: 'done' })
  })

  it.each([
    ['that the server doesn’t keep', { content: 'Half' }],
    ['long ago', { content: 'Half', savedAt: 1, position: { answerId: 'a', eventId: 'a:1' } }],
    ['long ago, before its first word', { createdAt: 1 }],
  ])('only marks an answer as interrupted that was left %s', async (_when, changes) => {
    const page = createTestPage()
    const chat = page.newChat()
    await page.repository.putMessages([left(chat, changes)])
    await page.handover.resumeAll()
    const [message] = await page.repository.loadMessages(chat)
    expect(message).toMatchObject({ content: left(chat, changes).content, status: 'interrupted' })
    expect(page.server.requests).toHaveLength(0)
  })
})
