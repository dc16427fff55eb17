import { describe, expect, it } from 'vitest'
import { eventually, readJson } from '../../fixtures/test-gateway.ts'
import { startTestServer, type TestServer } from '../../fixtures/test-server.ts'
import { chat, endless, errorOf, request } from './fixtures/answers.ts'
import { errorCodeOf, EventReader } from './fixtures/event-reader.ts'

const config = { trustedProxies: ['loopback'] }

/** Posts as the client at `address`. */
const post = (server: TestServer, address: string, body: object, path = chat): Promise<Response> =>
  fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
    body: JSON.stringify(body),
  })

describe('fairness between clients', () => {
  it('answers one short request before 512 answers of another client are complete', async () => {
    await using server = await startTestServer({ maxSessions: 2, stepDelayMs: 1, config })
    const greedy = { ...request, n: 128, max_tokens: 3 }
    const ended: string[] = []
    const answers = [1, 2, 3, 4].map(async () => {
      const { choices } = (await readJson(await post(server, '192.0.2.1', greedy))) as { choices: object[] }
      ended.push('greedy')
      return choices.length
    })
    await eventually(() => server.engine.steps > 8)
    const before = server.engine.steps
    expect((await post(server, '192.0.2.2', { ...request, max_tokens: 3 })).status).toBe(200)
    expect(ended).toEqual([])
    // Each session finishes the choice that it has begun; the other one goes on meanwhile.
    expect(server.engine.steps - before).toBeLessThanOrEqual(24)
    expect(await Promise.all(answers)).toEqual([128, 128, 128, 128])
  })

  it('gives choices that were interrupted the same texts as undisturbed ones', async () => {
    const body = { ...request, n: 6, max_tokens: 12, seed: 7, temperature: 1 }
    const textsOf = async (response: Promise<Response>): Promise<readonly string[]> => {
      const { choices } = await readJson(await response)
      return choices.map(({ message }: { message: { content: string } }) => message.content)
    }
    await using server = await startTestServer({ maxSessions: 1, config })
    const alone = await textsOf(post(server, '192.0.2.1', body))
    const together = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) =>
      textsOf(post(server, address, body)),
    )
    expect(await Promise.all(together)).toEqual([alone, alone, alone])
  })

  it('refuses the newest request of a client that fills the queue, not that of another client', async () => {
    await using server = await startTestServer({
      maxSessions: 1,
      stepDelayMs: 2,
      config: { ...config, sessions: { queueLength: 4 } },
    })
    const greedy = [1, 2, 3, 4, 5].map(() => post(server, '192.0.2.1', { ...request, max_tokens: 100 }))
    await eventually(() => server.engine.openSessions === 1)
    await expect.poll(() => server.figure('petals_chat_queue_length{')).toBe(4)
    expect((await post(server, '192.0.2.2', { ...request, max_tokens: 4 })).status).toBe(200)
    const statuses = (await Promise.all(greedy)).map(({ status }) => status)
    expect(statuses.toSorted()).toEqual([200, 200, 200, 200, 429])
  })
})

describe('a full queue', () => {
  const long = 'x'.repeat(5_000)
  const messages = [{ role: 'user', content: long }]
  it.each([
    [chat, { messages }],
    [chat, { messages, stream: true }],
    [chat, { messages, stream: true, resumable: true }],
    ['/v1/completions', { prompt: long }],
    ['/api/v1/generate', { inputs: long, max_new_tokens: 4 }],
  ])('refuses before it prepares a prompt, which is too long here: %s', async (path, body) => {
    await using server = await startTestServer({
      maxSessions: 1,
      stepDelayMs: 5,
      config: { ...config, sessions: { queueLength: 1 } },
    })
    const ask = () => post(server, '192.0.2.3', { model: 'test', ...body }, path)
    expect((await ask()).status).toBe(400)
    const others = ['192.0.2.1', '192.0.2.2'].map((address) => post(server, address, endless))
    await expect.poll(() => server.figure('petals_chat_queue_length{')).toBe(1)
    const refused = await ask()
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await refused.text()).toContain('the queue is full')
    for (const other of await Promise.all(others)) await other.body?.cancel()
  })
})

describe('answers that are not being read', () => {
  it('give way to requests that wait, and to them only', async () => {
    await using server = await startTestServer({
      maxSessions: 2,
      stepDelayMs: 2,
      contextLength: 100_000,
      config: { sessions: { unreadGraceMs: 0 } },
    })
    const [first, second] = await Promise.all([startUnread(server), startUnread(server)])
    const before = server.engine.steps
    await eventually(() => server.engine.steps > before + 20)
    expect((await post(server, '', { ...request, max_tokens: 4 })).status).toBe(200)
    const codes = await Promise.all(
      [first, second].map(async (id) => {
        await post(server, '', {}, `/v1/answers/${id}/cancel`)
        const response = await fetch(`${server.url}/v1/answers/${id}/stream`)
        return errorCodeOf(await new EventReader(response).rest())
      }),
    )
    expect(codes.toSorted()).toEqual(['answer_cancelled', 'answer_gone'])
  })

  it('are not stopped while they are read', async () => {
    await using server = await startTestServer({
      maxSessions: 1,
      stepDelayMs: 1,
      config: { sessions: { unreadGraceMs: 0 } },
    })
    const read = new EventReader(await post(server, '', { ...endless, max_tokens: 200 }))
    await read.readTo(2)
    const waiting = post(server, '', { ...request, max_tokens: 4 })
    expect(errorCodeOf(await read.rest())).toBeUndefined()
    expect((await waiting).status).toBe(200)
  })
})

/** Starts an endless answer, and reads only its beginning. */
async function startUnread(server: TestServer): Promise<string> {
  const response = await post(server, '', { ...endless, max_tokens: 90_000 })
  const reader = new EventReader(response)
  await reader.readTo(2)
  await reader.cut()
  return response.headers.get('x-answer-id')!
}

describe('the tokens of one request', () => {
  const limited = { config: { maxRequestTokens: 3_000 } }
  it.each([
    ['/v1/chat/completions', { ...request, n: 4, max_tokens: 1_000 }, 'n'],
    ['/v1/completions', { prompt: ['a', 'b', 'c', 'd'], max_tokens: 1_000 }, 'max_tokens'],
    ['/v1/completions', { prompt: Array(10).fill('x'.repeat(1_000)), max_tokens: 4 }, 'prompt'],
    ['/v1/embeddings', { input: Array(400).fill('x'.repeat(1_800)) }, 'input'],
  ])('are bounded: %s', async (path, body, param) => {
    await using server = await startTestServer(limited)
    const error = await errorOf(await post(server, '', { model: 'test', ...body }, path))
    expect(error).toMatchObject({
      status: 400,
      param,
      message: expect.stringMatching(/3000.*maxRequestTokens/),
    })
    expect(server.engine.steps).toBe(0)
  })

  it('may be a whole context', async () => {
    await using server = await startTestServer({ config: { maxRequestTokens: 10 }, contextLength: 400 })
    expect((await post(server, '', { ...request, max_tokens: -1 })).status).toBe(200)
  })
})
