import { describe, expect, it, vi } from 'vitest'
import type { Message } from '../chat/types.ts'
import { MemoryRepository } from '../storage/memory-repository.ts'
import { returns, scriptedTools } from '../testing/scripted-tools.ts'
import { createTestPage } from '../testing/test-page.ts'
import { call, calls, pageWith, says } from '../testing/tool-page.ts'
import type { TabMessage } from './tab-message.ts'
import { createTabs } from './tabs.ts'

describe('an answer with calls of tools that is interrupted', () => {
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
    await vi.waitFor(() => expect(beats).toBeGreaterThan(15))
    expect(other.answers.isReceiving(id)).toBe(false)
    // As after a pause of the whole browser: the time is over, and the signs that came before are not read yet.
    pauseMs(300)
    const before = beats
    await vi.waitFor(() => expect(beats).toBeGreaterThan(before + 5))
    expect(other.answers.isReceiving(id)).toBe(false)
    closed = true
    listener.close()
    page.answers.drop(id)
    await vi.waitFor(() => expect(other.answers.isReceiving(id)).toBe(true))
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

/** Stops this process for a time. */
function pauseMs(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
