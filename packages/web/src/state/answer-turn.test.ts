import { describe, expect, it, vi } from 'vitest'
import { ApiError } from '../api/errors.ts'
import { returns, scriptedTools } from '../testing/scripted-tools.ts'
import { createTestPage } from '../testing/test-page.ts'
import { call, calls, pageWith, says } from '../testing/tool-page.ts'

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
})
