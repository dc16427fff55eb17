import { describe, expect, it, vi } from 'vitest'
import type { ToolCallPart } from '../api/answer-chunk.ts'
import { ApiError } from '../api/errors.ts'
import type { Message } from '../chat/types.ts'
import { MemoryRepository } from '../storage/memory-repository.ts'
import type { Script } from '../testing/kept-answer-server.ts'
import { returns, scriptedTools, type ScriptedTool } from '../testing/scripted-tools.ts'
import { createTestPage } from '../testing/test-page.ts'
import type { TabMessage } from './tab-message.ts'
import { createTabs } from './tabs.ts'

const says = (...words: string[]): Script => ({ words })
const call = (name: string, args = '{}', index = 0): ToolCallPart => ({
  index,
  id: `c${index}`,
  name,
  arguments: args,
})
const calls = (...parts: ToolCallPart[]): Script => ({ words: [], calls: parts })

type Options = Parameters<typeof createTestPage>[0] & { readonly maxRounds?: number }

/** A page with a chat in which these tools are on. */
async function pageWith(
  tools: Readonly<Record<string, ScriptedTool>>,
  { maxRounds = 4, ...options }: Options = {},
) {
  const toolServer = scriptedTools(tools, { maxRounds })
  const page = createTestPage({ toolServer, ...options })
  const { id: chat } = page.conversation.createChat('small', {}, { tools: Object.keys(tools) })
  const answer = (): Message => page.path(chat).at(-1)!
  const liveCalls = () => page.answers.live.get().get(answer().id)?.calls ?? []
  const asked = async (): Promise<string> => {
    await vi.waitFor(() => expect(liveCalls().some(({ state }) => state === 'asking')).toBe(true))
    return liveCalls().find(({ state }) => state === 'asking')!.id
  }
  return {
    ...page,
    toolServer,
    chat,
    answer,
    liveCalls,
    asked,
    ask: (text = 'Q') => page.conversation.send(chat, { text, attachments: [] }),
    decide: async (decision: 'allow' | 'allow-chat' | 'decline') =>
      page.answers.decide(answer().id, await asked(), decision),
  }
}

describe('an answer with calls of tools', () => {
  it('asks first, shows what is sent, and goes on with the result', async () => {
    const page = await pageWith(
      { add: { title: 'Adder', run: returns('84') } },
      {
        scripts: [
          { words: ['Let me', ' see.'], calls: [call('add', '{"a":'), call('', '7}')] },
          says('It is 84.'),
        ],
      },
    )
    page.ask()
    const id = await page.asked()
    expect(page.toolServer.sent).toEqual([])
    expect(page.liveCalls()).toMatchObject([
      { id, name: 'add', title: 'Adder', server: 'test', arguments: '{"a":7}', state: 'asking' },
    ])
    await page.decide('allow')
    await page.settled()
    expect(page.toolServer.sent).toEqual([{ name: 'add', arguments: { a: 7 } }])
    expect(page.answer()).toMatchObject({
      status: 'done',
      content: 'It is 84.',
      rounds: [{ content: 'Let me see.', calls: [{ state: 'done', result: '84' }] }],
    })
    expect(page.answer().calls).toBeUndefined()
    const [first, second] = page.server.requests
    expect(first?.tools).toMatchObject([{ function: { name: 'add', parameters: { type: 'object' } } }])
    expect(second?.messages).toEqual([
      { role: 'user', content: 'Q' },
      {
        role: 'assistant',
        content: 'Let me see.',
        tool_calls: [{ id, type: 'function', function: { name: 'add', arguments: '{"a":7}' } }],
      },
      { role: 'tool', tool_call_id: id, content: '84' },
    ])
    // Both requests are kept here by then.
    expect(page.server.forgotten).toEqual(['ans_1', 'ans_2'])
    expect(page.answer().stats?.completionTokens).toBe(4 + 1)
  })

  it('sends what each box shows, whatever ids the model gives its calls', async () => {
    for (const ids of [
      ['a', 'a', 'a_1'],
      ['a_1', 'a', 'a'],
      ['a', 'a', 'a'],
    ]) {
      const named = ids.map((id, index) => ({ ...call('act', `{"n":${index}}`, index), id }))
      const page = await pageWith(
        { act: { readOnly: false, run: returns('ok') } },
        { scripts: [calls(...named), says('A')] },
      )
      page.ask()
      for (const index of [0, 1, 2]) {
        await vi.waitFor(() => expect(page.liveCalls()[index]?.state).toBe('asking'))
        expect(page.liveCalls().filter(({ state }) => state === 'asking')).toHaveLength(1)
        await page.decide(index === 0 ? 'decline' : 'allow')
      }
      await page.settled()
      expect(page.toolServer.sent.map((sent) => sent.arguments)).toEqual([{ n: 1 }, { n: 2 }])
      const messages = page.server.requests[1]!.messages as readonly {
        readonly tool_calls?: readonly { readonly id: string }[]
        readonly tool_call_id?: string
      }[]
      const sentIds = messages.flatMap(({ tool_calls: made }) => made ?? []).map(({ id }) => id)
      expect(new Set(sentIds).size).toBe(3)
      expect(messages.flatMap(({ tool_call_id: id }) => id ?? [])).toEqual(sentIds)
    }
  })

  it('sends no tools, and asks for none, while none is on', async () => {
    const page = createTestPage({
      scripts: [says('A')],
      toolServer: scriptedTools({ add: { run: returns('') } }),
    })
    await page.say(page.newChat(), 'Q')
    expect(page.server.requests[0]).not.toHaveProperty('tools')
    expect(page.toolList.get().limits).toBeUndefined()
  })

  it('sends no tools to a model that can’t call any, nor the calls of earlier answers', async () => {
    const tools = { read: { run: returns('r') } }
    const page = await pageWith(tools, { scripts: [calls(call('read')), says('A'), says('B')] })
    page.chats.updateChat(page.chat, { allowedTools: ['read@v1'] })
    page.ask()
    await page.settled()
    page.toolServer.modelsWithoutTools = () => Promise.resolve(new Set(['small']))
    await page.toolList.refresh()
    page.ask('Q2')
    await page.settled()
    expect(page.server.requests[2]).not.toHaveProperty('tools')
    expect(page.server.requests[2]?.messages.map(({ content }) => content)).toEqual(['Q', 'A', 'Q2'])
  })

  it('asks once for a tool that only reads, if the reader says so', async () => {
    const page = await pageWith(
      { read: { run: returns('r') } },
      { scripts: [calls(call('read')), calls(call('read'), call('read', '{"n":2}', 1)), says('A')] },
    )
    page.ask()
    await page.decide('allow-chat')
    await page.settled()
    expect(page.toolServer.sent).toHaveLength(3)
    expect(page.chats.chat(page.chat)?.allowedTools).toEqual(['read@v1'])
  })

  it('asks again for a tool that has changed, and for one that an earlier version of the page allowed', async () => {
    const page = await pageWith(
      { read: { run: returns('r') } },
      { scripts: [calls(call('read')), calls(call('read')), says('A')] },
    )
    page.chats.updateChat(page.chat, { allowedTools: ['read', 'read@v0'] })
    page.toolServer.call = () => {
      const { list } = page.toolServer
      page.toolServer.call = () => returns('new')({}, new AbortController().signal)
      page.toolServer.list = async () => {
        const { servers, limits } = await list()
        const changed = servers.map((server) => ({
          ...server,
          tools: server.tools.map((tool) => ({ ...tool, version: 'v2' })),
        }))
        return { servers: changed, limits }
      }
      return Promise.reject(
        new ApiError({ kind: 'server', message: 'It has changed.', code: 'tool_changed' }),
      )
    }
    page.ask()
    await page.decide('allow-chat')
    await vi.waitFor(() => expect(page.server.requests).toHaveLength(2))
    await page.decide('allow-chat')
    await page.settled()
    expect(page.answer().rounds?.map(({ calls: [made] }) => made?.result)).toEqual(['It has changed.', 'new'])
    expect(page.chats.chat(page.chat)?.allowedTools).toEqual(['read@v2'])
  })

  it('asks again after “allow once”, and always for a tool that may change something', async () => {
    for (const readOnly of [true, false]) {
      const page = await pageWith(
        { act: { readOnly, run: returns('ok') } },
        { scripts: [calls(call('act'), call('act', '{"n":2}', 1)), says('A')] },
      )
      page.ask()
      await page.decide(readOnly ? 'allow' : 'allow-chat')
      await vi.waitFor(() => expect(page.liveCalls()[1]?.state).toBe('asking'))
      await page.decide('allow')
      await page.settled()
      expect(page.toolServer.sent).toHaveLength(2)
      expect(page.chats.chat(page.chat)?.allowedTools).toBeUndefined()
    }
  })

  it('tells the model of a declined call, of one that failed, and of one that can’t be', async () => {
    const page = await pageWith(
      {
        no: { run: returns('never') },
        fails: { run: async () => ({ text: 'Out of order.', isError: true, truncated: false }) },
        breaks: { run: () => Promise.reject(new ApiError({ kind: 'network', message: '' })) },
      },
      {
        scripts: [
          calls(
            call('no'),
            call('fails', '', 1),
            call('breaks', '{}', 2),
            call('gone', '{}', 3),
            call('no', '{', 4),
          ),
          says('A'),
        ],
      },
    )
    page.ask()
    await page.decide('decline')
    await vi.waitFor(() => expect(page.liveCalls()[1]?.state).toBe('asking'))
    await page.decide('allow')
    await vi.waitFor(() => expect(page.liveCalls()[2]?.state).toBe('asking'))
    await page.decide('allow')
    await page.settled()
    expect(page.answer().rounds?.[0]?.calls.map(({ state }) => state)).toEqual([
      'denied',
      'failed',
      'failed',
      'failed',
      'failed',
    ])
    const told = page.server.requests[1]!.messages.filter(({ role }) => role === 'tool')
    expect(told.map(({ content }) => content)).toEqual([
      'The user declined this call.',
      'Out of order.',
      expect.stringMatching(/connection .* broke/),
      'There is no tool named "gone".',
      expect.stringMatching(/not a JSON object/),
    ])
  })

  it('does not call a tool that is off, even if the model names it', async () => {
    const page = await pageWith(
      { on: { run: returns('') }, off: { run: returns('secret') } },
      { scripts: [calls(call('off')), says('A')] },
    )
    page.chats.updateChat(page.chat, { tools: ['on'] })
    page.ask()
    await page.settled()
    expect(page.toolServer.sent).toEqual([])
    expect(page.answer().rounds?.[0]?.calls).toMatchObject([{ state: 'failed' }])
  })

  it('runs two calls at once', async () => {
    let running = 0
    let most = 0
    const run = async () => {
      most = Math.max(most, (running += 1))
      await new Promise((resolve) => setTimeout(resolve))
      running -= 1
      return { text: 'r', isError: false, truncated: false }
    }
    const five = [0, 1, 2, 3, 4].map((index) => call('read', `{"n":${index}}`, index))
    const page = await pageWith({ read: { run } }, { scripts: [calls(...five), says('A')] })
    page.chats.updateChat(page.chat, { allowedTools: ['read@v1'] })
    page.ask()
    await page.settled()
    expect(page.toolServer.sent.map(({ arguments: { n } }) => n)).toEqual([0, 1, 2, 3, 4])
    expect(most).toBe(2)
    expect(page.answer()).toMatchObject({ status: 'done', content: 'A' })
  })

  it('ends at the limit of rounds with an answer in words', async () => {
    const page = await pageWith(
      { read: { run: returns('r') } },
      { maxRounds: 2, scripts: [calls(call('read')), calls(call('read')), says('A')] },
    )
    page.chats.updateChat(page.chat, { allowedTools: ['read@v1'] })
    page.ask()
    await page.settled()
    expect(page.server.requests.map(({ tool_choice }) => tool_choice)).toEqual([undefined, undefined, 'none'])
    expect(page.answer().rounds?.map(({ limit }) => limit)).toEqual([undefined, 2])
    expect(page.answer()).toMatchObject({ status: 'done', content: 'A' })
  })

  it('is stopped with its calls, and continues with them', async () => {
    let aborted = 0
    const page = await pageWith(
      {
        slow: {
          run: (_args, signal) =>
            new Promise((resolve, reject) => {
              if (aborted > 0) return resolve({ text: 'r', isError: false, truncated: true })
              signal.addEventListener('abort', () => {
                aborted += 1
                reject(signal.reason as Error)
              })
            }),
        },
        other: { run: returns('o') },
      },
      { scripts: [calls(call('slow'), call('other', '{}', 1)), says('A')] },
    )
    page.ask()
    await page.decide('allow')
    await vi.waitFor(() => expect(page.liveCalls().map(({ state }) => state)).toEqual(['running', 'asking']))
    page.conversation.stop(page.answer())
    await page.settled()
    expect(aborted).toBe(1)
    expect(page.answer()).toMatchObject({
      status: 'stopped',
      calls: [{ state: 'stopped' }, { state: 'stopped' }],
    })

    page.conversation.continue(page.chat, page.answer().id)
    await page.decide('allow')
    await vi.waitFor(() => expect(page.liveCalls()[1]?.state).toBe('asking'))
    await page.decide('decline')
    await page.settled()
    expect(page.answer()).toMatchObject({
      status: 'done',
      content: 'A',
      rounds: [{ calls: [{ state: 'done', truncated: true }, { state: 'denied' }] }],
    })
  })

  it('asks again after a reload, and has lost nothing', async () => {
    const repository = new MemoryRepository()
    const before = await pageWith(
      { read: { run: returns('r') } },
      { repository, scripts: [{ words: ['Wait.'], calls: [call('read', '{"n":1}')] }] },
    )
    before.ask()
    const id = await before.asked()
    // Long after its request has ended, as the reader was away.
    const [stored] = (await repository.loadStreaming()) as [Message]
    await repository.putMessages([{ ...stored, savedAt: 1 }])

    const after = await pageWith({ read: { run: returns('r') } }, { repository, scripts: [says('A')] })
    await after.chats.load()
    void after.handover.resumeAll()
    await vi.waitFor(() => expect(after.answers.live.get().get(stored.id)?.calls[0]?.state).toBe('asking'))
    after.answers.decide(stored.id, id, 'allow')
    await after.settled()
    expect(await repository.loadMessage(stored.id)).toMatchObject({
      status: 'done',
      content: 'A',
      rounds: [{ content: 'Wait.', calls: [{ id, state: 'done', result: 'r' }] }],
    })
    expect(after.server.requests[0]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool'])
  })

  it('does not repeat a call that may have been done without asking', async () => {
    const repository = new MemoryRepository()
    const never = { act: { readOnly: false, run: () => new Promise<never>(() => {}) } }
    const before = await pageWith(never, { repository, scripts: [calls(call('act'))] })
    before.ask()
    await before.decide('allow')
    await vi.waitFor(() => expect(before.liveCalls()[0]?.state).toBe('running'))
    const [stored] = (await repository.loadStreaming()) as [Message]
    expect(stored.calls?.[0]?.startedAt).toBeDefined()

    const after = await pageWith(never, { repository })
    await after.chats.load()
    void after.handover.resumeAll()
    await vi.waitFor(() => expect(after.answers.live.get().get(stored.id)?.calls[0]?.state).toBe('asking'))
    // The reader is told that it began.
    expect(after.answers.live.get().get(stored.id)?.calls[0]?.startedAt).toBeDefined()
    expect(after.toolServer.sent).toEqual([])
  })

  it('resumes a stream that is cut within a call, without losing or doubling a part', async () => {
    const page = await pageWith(
      { read: { run: returns('r') } },
      {
        scripts: [
          { words: ['Wait.'], calls: [call('read', '{"a":'), call('', '"b'), call('', 'c"}')], cuts: [1, 3] },
          says('A'),
        ],
      },
    )
    page.ask()
    await page.decide('allow')
    await page.settled()
    expect(page.toolServer.sent).toEqual([{ name: 'read', arguments: { a: 'bc' } }])
    expect(page.answer().rounds?.[0]?.content).toBe('Wait.')
  })

  it('writes a lost answer with a half-written call again', async () => {
    const page = await pageWith(
      { read: { run: returns('r') } },
      {
        scripts: [
          { words: ['Wait.'], calls: [call('read', '{"a":'), call('', '1}')], cuts: [2] },
          calls(call('read', '{"a":2}')),
          says('A'),
        ],
      },
    )
    page.chats.updateChat(page.chat, { allowedTools: ['read@v1'] })
    page.server.keeps = false
    page.ask()
    await page.settled()
    expect(page.server.requests[1]).toMatchObject({ continue_final_message: true })
    expect(page.toolServer.sent).toEqual([{ name: 'read', arguments: { a: 2 } }])
    expect(page.answer().rounds).toHaveLength(1)
  })

  it('retries after its calls in place, without calling again', async () => {
    const page = await pageWith(
      { read: { run: returns('r') } },
      {
        scripts: [
          calls(call('read')),
          { words: [], error: { kind: 'server', message: 'Failed.' } },
          says('A'),
        ],
      },
    )
    page.chats.updateChat(page.chat, { allowedTools: ['read@v1'] })
    page.ask()
    await page.settled()
    expect(page.answer()).toMatchObject({ status: 'error', rounds: [{}] })
    page.conversation.retry(page.chat, page.answer().id)
    await page.settled()
    expect(page.answer()).toMatchObject({ status: 'done', content: 'A', rounds: [{}] })
    expect(page.toolServer.sent).toHaveLength(1)
    expect(page.server.requests[2]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool'])
  })

  it('has versions: another answer begins without the calls of the first', async () => {
    const page = await pageWith(
      { read: { run: returns('r') } },
      { scripts: [calls(call('read')), says('A'), says('B'), says('C')] },
    )
    page.chats.updateChat(page.chat, { allowedTools: ['read@v1'] })
    page.ask()
    await page.settled()
    page.conversation.regenerate(page.chat, page.answer().id)
    await page.settled()
    expect(page.server.requests[2]?.messages).toHaveLength(1)
    expect(page.answer().rounds).toBeUndefined()
    page.conversation.showVersion(page.chat, page.answer().id, -1)
    page.ask('Q2')
    await page.settled()
    expect(page.server.requests[3]?.messages.map(({ role }) => role)).toEqual([
      'user',
      'assistant',
      'tool',
      'assistant',
      'user',
    ])
  })

  it('goes on after an answer that was stopped at its calls, with turns that alternate', async () => {
    const page = await pageWith(
      { read: { run: returns('r') } },
      { scripts: [calls(call('read')), says('A')] },
    )
    page.ask()
    await page.asked()
    page.conversation.stop(page.answer())
    page.ask('Q2')
    await page.settled()
    expect(page.server.requests[1]?.messages.map(({ role, content }) => [role, content])).toEqual([
      ['user', 'Q'],
      ['assistant', ''],
      ['tool', 'The user stopped this call.'],
      ['assistant', '(This answer was not finished.)'],
      ['user', 'Q2'],
    ])
  })

  it('is not taken over by a tab without locks while it waits, and is after its tab is closed', async () => {
    const repository = new MemoryRepository()
    const channel = () => new BroadcastChannel('answer-turn-no-locks')
    const base = createTabs(channel())
    let closed = false
    const tabs = { ...base, publish: (message: TabMessage) => closed || base.publish(message) }
    const page = await pageWith(
      { read: { run: returns('r') } },
      { tabs, repository, scripts: [calls(call('read'))], silenceMs: 200 },
    )
    page.ask()
    await page.asked()
    const { id } = page.answer()
    const tools = scriptedTools({ read: { run: returns('r') } })
    const other = createTestPage({
      tabs: createTabs(channel()),
      repository,
      scripts: [says('A')],
      silenceMs: 200,
      toolServer: tools,
    })
    await other.chats.load()
    await other.handover.resumeAll()
    let beats = 0
    const listener = channel()
    listener.addEventListener('message', () => (beats += 1))
    // Three times as long as a silent tab is waited for.
    await vi.waitFor(() => expect(beats).toBeGreaterThan(15), { timeout: 5000 })
    expect(other.answers.isReceiving(id)).toBe(false)
    closed = true
    listener.close()
    page.answers.drop(id)
    await vi.waitFor(() => expect(other.answers.isReceiving(id)).toBe(true), { timeout: 5000 })
    await vi.waitFor(() => expect(other.answers.live.get().get(id)?.calls[0]?.state).toBe('asking'))
    other.answers.stop({ id })
  })

  it('takes the decision of a reader in another tab', async () => {
    const tab = () => createTabs(new BroadcastChannel('answer-turn-test'))
    const repository = new MemoryRepository()
    const page = await pageWith(
      { read: { run: returns('r') } },
      { tabs: tab(), repository, scripts: [calls(call('read')), says('A')] },
    )
    const other = createTestPage({ tabs: tab(), repository, silenceMs: 60_000 })
    page.ask()
    const id = await page.asked()
    await vi.waitFor(() =>
      expect(other.answers.live.get().get(page.answer().id)?.calls[0]?.state).toBe('asking'),
    )
    other.answers.decide(page.answer().id, id, 'allow')
    await page.settled()
    expect(page.answer()).toMatchObject({ status: 'done', content: 'A' })
  })
})
