import { describe, expect, it } from 'vitest'
import { ApiError, type ApiErrorDetails } from '../api/errors.ts'
import { startAnswer, type LiveAnswer } from '../chat/live-answer.ts'
import type { Message } from '../chat/types.ts'
import { KeptAnswerServer, type Script } from '../testing/kept-answer-server.ts'
import { streamingMessage as message } from '../testing/test-page.ts'
import { AnswerRun, type PlanOptions } from './answer-run.ts'

const words = ['One', ' two', ' three', ' four']

function prepare(server: KeptAnswerServer, start: Message = message) {
  const states: LiveAnswer[] = []
  const plans: PlanOptions[] = []
  const waits: number[] = []
  const run = new AnswerRun({
    client: server,
    answer: startAnswer(start, 0),
    plan: (answer, options) => {
      plans.push(options)
      return Promise.resolve({
        request: { model: 'm', messages: [{ role: 'assistant', content: answer.content }] },
      })
    },
    onChange: (answer) => states.push(answer),
    now: () => 0,
    wait: (ms) => {
      waits.push(ms)
      return Promise.resolve()
    },
  })
  return { run, states, plans, waits, last: () => states.at(-1)! }
}

/** The texts that the server was asked to continue, request by request. */
const continued = (server: KeptAnswerServer) => server.requests.map(({ messages }) => messages[0]!.content)

describe('AnswerRun', () => {
  it('receives an answer', async () => {
    const { run, last } = prepare(new KeptAnswerServer({ words }))
    expect(await run.run()).toEqual({ status: 'done' })
    expect(last()).toMatchObject({ content: 'One two three four', pieces: 4, usage: { completionTokens: 4 } })
  })

  it('recognizes an answer that was cut at its limit', async () => {
    const { run } = prepare(new KeptAnswerServer({ words, finishReason: 'length' }))
    expect(await run.run()).toEqual({ status: 'length' })
  })

  const places = [0, 1, 2, 3, 4, 5]
  it.each(places.flatMap((a) => places.filter((b) => b >= a).map((b) => [a, b])))(
    'takes a stream up again that was cut after %i and %i events, with every token once',
    async (a, b) => {
      // A stream that is cut before its first event has no position: the request is sent again.
      const server = new KeptAnswerServer({ words, cuts: [a, b] }, { words, cuts: [b] }, { words })
      const { run, last } = prepare(server)
      expect(await run.run()).toEqual({ status: 'done' })
      expect(last().content).toBe('One two three four')
    },
  )

  it('publishes each content with the matching position', async () => {
    const { run, states } = prepare(new KeptAnswerServer({ words, cuts: [2] }))
    await run.run()
    for (const { content, position } of states) {
      if (!position) continue
      const number = Number(position.eventId.split(':')[1])
      expect(content).toBe(words.slice(0, number).join(''))
    }
  })

  it('continues from a position that was saved before a reload', async () => {
    const server = new KeptAnswerServer({ words })
    const first = prepare(server)
    await first.run.run()
    const saved = first.states.find(({ content }) => content === 'One two')!
    const { run, last } = prepare(server, { ...message, content: 'One two', position: saved.position })
    expect(await run.run()).toEqual({ status: 'done' })
    expect(last().content).toBe('One two three four')
    expect(server.requests).toHaveLength(1)
  })

  it('requests the rest if the server has lost the answer', async () => {
    const server = new KeptAnswerServer({ words, cuts: [2] }, { words: [' three', ' four'] })
    const { run, last, plans } = prepare(server)
    const running = run.run()
    const resume = server.resume.bind(server)
    server.resume = (...args) => {
      server.restart()
      return resume(...args)
    }
    expect(await running).toEqual({ status: 'done' })
    expect(last().content).toBe('One two three four')
    expect(continued(server)).toEqual(['', 'One two'])
    expect(plans[1]).toMatchObject({ writtenTokens: 2 })
    expect(last().earlierTokens).toBe(2)
  })

  it('requests the rest if the server keeps no answers', async () => {
    const server = new KeptAnswerServer({ words, cuts: [3] }, { words: [' four'] })
    server.keeps = false
    const { run, last, waits } = prepare(server)
    expect(await run.run()).toEqual({ status: 'done' })
    expect(last().content).toBe('One two three four')
    expect(waits).toEqual([1000])
  })

  it('does not repeat a request for missing statistics', async () => {
    const server = new KeptAnswerServer({ words, cuts: [5] })
    server.keeps = false
    const { run, last } = prepare(server)
    expect(await run.run()).toEqual({ status: 'done' })
    expect(last().content).toBe('One two three four')
  })

  const full: Script = { words: [], error: { kind: 'capacity', message: 'Full.', retryAfterMs: 2000 } }

  it('waits for a free slot as long as the server says, three times', async () => {
    const { run, waits, states } = prepare(new KeptAnswerServer(full, full, { words }))
    expect(await run.run()).toEqual({ status: 'done' })
    expect(waits).toEqual([2000, 2000])
    expect(states.map(({ retry }) => retry?.reason)).toContain('capacity')
    expect(states.at(-1)!.retry).toBeUndefined()

    const crowded = prepare(new KeptAnswerServer(full, full, full, full))
    expect(await crowded.run.run()).toMatchObject({ status: 'error', error: { kind: 'capacity' } })
  })

  /** A server that refuses the first requests to resume the answer. */
  function refusing(errors: ApiErrorDetails[]) {
    const server = new KeptAnswerServer({ words, cuts: [2] })
    const resume = server.resume.bind(server)
    server.resume = (...args) => {
      const error = errors.shift()
      if (error === undefined) return resume(...args)
      return (async function* () {
        await Promise.resolve()
        throw new ApiError(error)
      })()
    }
    return prepare(server)
  }

  it('resumes an answer that the server does not give out for a moment, as soon as it says', async () => {
    const { run, waits, states, last, plans } = refusing([
      { kind: 'network', message: '', status: 502 },
      { kind: 'capacity', message: 'Soon.', code: 'keys_unavailable', status: 503, retryAfterMs: 5_000 },
      { kind: 'rate-limit', message: 'Soon.', status: 429, retryAfterMs: 3_000 },
      { kind: 'unavailable', message: 'Soon.', status: 503 },
    ])
    expect(await run.run()).toEqual({ status: 'done' })
    expect(last().content).toBe('One two three four')
    expect(plans).toHaveLength(1)
    expect(waits).toEqual([500, 5_000, 3_000, 4_000])
    const reasons = states.flatMap(({ retry }) => retry?.reason ?? [])
    expect([...new Set(reasons)]).toEqual(['network', 'capacity', 'rate-limit'])
  })

  it.each<ApiErrorDetails>([
    { kind: 'signed-out', message: '', status: 401 },
    { kind: 'forbidden', message: '', status: 403 },
    { kind: 'too-large', message: '', status: 413 },
    { kind: 'rate-limit', message: '', status: 429, retryAfterMs: 60_000 },
  ])('keeps the text so far when the rest is refused: $kind', async (error) => {
    const { run, last } = refusing([error])
    expect(await run.run()).toMatchObject({ status: 'error', error: { kind: error.kind } })
    expect(last().content).toBe('One two')
  })

  it('shows an error that a retry can’t fix', async () => {
    const error = {
      kind: 'unavailable',
      message: 'Blocks 3 to 5 are missing.',
      code: 'missing_blocks',
    } as const
    const { run } = prepare(new KeptAnswerServer({ words, errorAtEnd: error }))
    expect(await run.run()).toMatchObject({ status: 'error', error: { message: error.message } })
  })

  it('keeps the text so far when the server can no longer be reached', async () => {
    const server = new KeptAnswerServer({ words, cuts: [2] })
    server.resume = async function* () {
      await Promise.resolve()
      throw new TypeError('fetch failed')
    }
    const { run, last, waits } = prepare(server)
    expect(await run.run()).toMatchObject({ status: 'interrupted', error: { kind: 'network' } })
    expect(last().content).toBe('One two')
    expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(60_000)
  })

  it('sends a shorter prompt once, if the first was refused as too long', async () => {
    const long: Script = { words: [], error: { kind: 'context-length', message: 'Too long.' } }
    const { run, plans } = prepare(new KeptAnswerServer(long, { words }))
    expect(await run.run()).toEqual({ status: 'done' })
    expect(plans.map(({ shorten }) => shorten)).toEqual([false, true])
    const hopeless = prepare(new KeptAnswerServer(long, long))
    expect(await hopeless.run.run()).toMatchObject({ status: 'error', error: { kind: 'context-length' } })
  })

  it('stops at once, and stops the server', async () => {
    const gate = Promise.withResolvers<void>()
    let paces = 0
    const pace = () => (paces++ === 2 ? gate.promise : Promise.resolve())
    const server = new KeptAnswerServer({ words, pace })
    const { run, states, last } = prepare(server)
    const running = run.run()
    await expect.poll(() => last()?.content).toBe('One two')
    run.stop()
    expect(await running).toEqual({ status: 'stopped' })
    expect(server.cancelled).toEqual(['ans_1'])
    const { length } = states
    gate.resolve()
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(states).toHaveLength(length)
  })

  it('stops the server as soon as it sends the id of the answer', async () => {
    const headers = Promise.withResolvers<void>()
    const server = new KeptAnswerServer({ words, beforeHeaders: headers.promise })
    const { run } = prepare(server)
    const running = run.run()
    await expect.poll(() => server.requests.length).toBe(1)
    run.stop()
    expect(await running).toEqual({ status: 'stopped' })
    expect(server.cancelled).toEqual([])
    headers.resolve()
    await expect.poll(() => server.cancelled).toEqual(['ans_1'])
  })

  it('treats a stop in another tab as a stop', async () => {
    const error = { kind: 'refused', message: 'Stopped.', code: 'answer_cancelled' } as const
    const { run } = prepare(new KeptAnswerServer({ words, errorAtEnd: error }))
    expect(await run.run()).toEqual({ status: 'stopped' })
  })

  it('reconnects when the network is back', async () => {
    const gate = Promise.withResolvers<void>()
    let paces = 0
    const pace = () => (paces++ === 2 ? gate.promise : Promise.resolve())
    const server = new KeptAnswerServer({ words, pace })
    const { run, states } = prepare(server)
    const running = run.run()
    await expect.poll(() => states.at(-1)?.content).toBe('One two')
    run.reconnect()
    gate.resolve()
    expect(await running).toEqual({ status: 'done' })
    expect(server.resumedAfter).toEqual(['ans_1:2'])
    expect(states.at(-1)!.content).toBe('One two three four')
  })
})
