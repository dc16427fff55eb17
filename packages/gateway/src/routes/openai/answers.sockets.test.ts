import { once } from 'node:events'
import { get, type IncomingMessage, request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import {
  createTestGateway,
  eventually,
  type LogRecord,
  recordingLogger,
  type TestGatewayOptions,
} from '../../fixtures/test-gateway.ts'
import { errorCodeOf, eventsIn, type SentEvent, textOf } from './fixtures/event-reader.ts'

const body = {
  model: 'test',
  messages: [{ role: 'user', content: 'Hi' }],
  temperature: 0,
  stream: true,
  resumable: true,
}
const leased = 'petals_chat_sessions{model="test",state="leased"}'
const running = 'petals_chat_resumable_answers{state="running"}'
const isCut = ({ message, fields }: LogRecord) => message === 'request' && fields.aborted === true
const reply = () => 'Grüße aus Paris 😀! '.repeat(4)

async function startServer(options: TestGatewayOptions = {}) {
  const test = createTestGateway(options)
  const { url, port } = await test.listen()
  const figure = async (name: string) => {
    const line = (await test.metrics.render()).body
      .split('\n')
      .find((candidate) => candidate.startsWith(name))
    return Number(line?.split(' ').at(-1))
  }
  return { ...test, url, port, figure, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() }
}

type Server = Awaited<ReturnType<typeof startServer>>

async function ask({ url }: Server, more: object = {}): Promise<IncomingMessage> {
  const request = httpRequest(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    agent: false,
  })
  request.end(JSON.stringify({ ...body, ...more }))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

async function resume({ url }: Server, id: string, after: string | undefined): Promise<IncomingMessage> {
  const request = get(`${url}/v1/answers/${id}/stream`, {
    agent: false,
    headers: after === undefined ? {} : { 'last-event-id': after },
  })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

const idOf = (response: IncomingMessage): string => String(response.headers['x-answer-id'])

/** Reads at most `bytes` bytes of the body, then cuts the connection. Returns the complete events. */
async function readThenCut(response: IncomingMessage, bytes: number): Promise<SentEvent[]> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= bytes) break
  }
  response.destroy()
  return eventsIn(Buffer.concat(chunks).subarray(0, bytes).toString())
}

/** Resumes after an event until the end. A busy machine may make this reader stall, too: then it resumes again. */
async function resumeToEnd(server: Server, id: string, after: string): Promise<SentEvent[]> {
  const events: SentEvent[] = []
  while (events.at(-1)?.data !== '[DONE]') {
    const response = await resume(server, id, events.at(-1)?.id ?? after)
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    // Not `once` of node:events, which throws at an error.
    await new Promise((resolve) => response.on('error', () => {}).on('close', resolve))
    events.push(...eventsIn(text))
  }
  return events
}

const readAll = (response: IncomingMessage) => readThenCut(response, Infinity)

/** Random numbers that are the same on every run, so that a failure can be reproduced. */
function* pseudoRandom(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield state / 2 ** 32
  }
}

describe('over real connections', () => {
  it('200 answers cut at random bytes, some of them repeatedly, are complete after they are resumed', async () => {
    await using server = await startServer({ reply })
    const whole = await readAll(await ask(server))
    const bytes = whole.reduce((sum, { id, data }) => sum + `id: ${id}\ndata: ${data}\n\n`.length, 0)
    const random = pseudoRandom(7)
    const next = () => random.next().value
    for (let round = 0; round < 200; round++) {
      const response = await ask(server)
      const id = idOf(response)
      const events = await readThenCut(response, Math.floor(next() * bytes))
      while (events.at(-1)?.data !== '[DONE]') {
        const rest = await resume(server, id, events.at(-1)?.id)
        const isLast = next() < 0.6
        events.push(...(await readThenCut(rest, isLast ? Infinity : Math.floor(next() * bytes))))
      }
      expect(textOf(events)).toBe(textOf(whole))
      expect(events.map((event) => event.id)).toEqual(events.map((_, index) => `${id}:${index + 1}`))
    }
    expect(await server.figure(leased)).toBe(0)
    expect(await server.figure(running)).toBe(0)
  })

  it('send the id while the request is still in the queue', async () => {
    await using server = await startServer({ maxSessions: 1, stepDelayMs: 20 })
    const first = await ask(server, { max_tokens: 1_000 })
    const second = await ask(server)
    expect(second.statusCode).toBe(200)
    expect(await server.figure(running)).toBe(2)
    for (const response of [second, first]) {
      await fetch(`${server.url}/v1/answers/${idOf(response)}`, { method: 'DELETE' })
      expect(errorCodeOf(await readAll(response))).toBe('answer_cancelled')
    }
    expect(server.engine.sessionsOpened).toBe(1)
  })

  it('resume on another connection while the first one still hangs', async () => {
    await using server = await startServer({ stepDelayMs: 5 })
    const first = await ask(server, { max_tokens: 1_500 })
    const id = idOf(first)
    const [chunk] = (await once(await resume(server, id, undefined), 'data')) as [Buffer]
    expect(await server.figure(running)).toBe(1)
    expect(chunk.toString()).toContain(`id: ${id}:1\n`)
    first.destroy()
  })

  it('a client without a resumable answer stops the engine when it disconnects', async () => {
    await using server = await startServer({ stepDelayMs: 5 })
    const response = await ask(server, { resumable: false, max_tokens: 1_000 })
    await once(response, 'data')
    response.destroy()
    await eventually(async () => expect(await server.figure(leased)).toBe(0))
    // Steps beside those of another answer would be those of the first one.
    const before = server.engine.steps
    const events = await readAll(await ask(server, { resumable: false, max_tokens: 10 }))
    expect(server.engine.steps - before).toBe(10)
    expect(events.at(-1)?.data).toBe('[DONE]')
  })

  it('a reset connection frees the session if no client resumes in time', async () => {
    await using server = await startServer({
      stepDelayMs: 5,
      config: { answers: { unreadTimeoutMs: 500, keepMs: 300 } },
    })
    const response = await ask(server, { max_tokens: 1_000 })
    await once(response, 'data')
    // On a busy machine the socket may already be closing, and can't be reset any more.
    response.socket.on('error', () => {})
    response.socket.resetAndDestroy()
    await eventually(async () => expect(await server.figure(running)).toBe(0))
    expect(await server.figure(leased)).toBe(0)
    await eventually(async () => expect(await server.figure('petals_chat_resumable_answer_bytes')).toBe(0))
  })
})

describe('a reader that reads nothing', () => {
  /** Every choice echoes the prompt: 30 MB, more than the buffers of both kernels hold. */
  const prompt = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(60_000))
  const large = { model: 'test', prompt, echo: true, n: 128, max_tokens: 1, stream: true }

  /** Sends the request, and stops reading after the first piece of the response. */
  async function readNoMore({ port }: Server, request: object): Promise<{ socket: Socket; head: string }> {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    const text = JSON.stringify(request)
    socket.write(
      'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n' +
        `content-length: ${text.length}\r\n\r\n${text}`,
    )
    const [head] = (await once(socket, 'data')) as [Buffer]
    socket.pause()
    return { socket, head: head.toString() }
  }

  it.each([true, false])(
    'is disconnected after a while, and may resume if the answer is resumable: %s',
    async (resumable) => {
      const records: LogRecord[] = []
      await using server = await startServer({
        contextLength: 100_000,
        logger: recordingLogger(records),
        config: { sseStallTimeoutMs: 200, maxChoices: 512 },
      })
      const { socket, head } = await readNoMore(server, { ...large, resumable })
      await eventually(() => expect(records.some(isCut)).toBe(true))
      socket.destroy()
      expect(await server.figure(leased)).toBe(0)
      if (!resumable) return
      const id = /x-answer-id: (\S+)/.exec(head)![1]!
      const rest = await resumeToEnd(server, id, `${id}:1000`)
      expect(rest.at(-1)).toEqual({ id: `${id}:${1000 + rest.length}`, data: '[DONE]' })
    },
  )
})

describe('a server that stops', () => {
  it('lets an answer with a reader finish, and stops one without a reader', async () => {
    const records: LogRecord[] = []
    await using server = await startServer({ stepDelayMs: 5, logger: recordingLogger(records) })
    const read = await ask(server, { max_tokens: 60 })
    const unread = await ask(server, { max_tokens: 1_000 })
    unread.destroy()
    await eventually(() => expect(records.some(isCut)).toBe(true))
    const closed = server.gateway.close({ drainMs: 10_000 })
    expect((await readAll(read)).at(-1)?.data).toBe('[DONE]')
    await closed
    expect(server.engine.openSessions).toBe(0)
    expect(await server.figure(running)).toBe(0)
    expect(
      await server.figure('petals_chat_resumable_answers_ended_total{kind="stream",outcome="shutdown"}'),
    ).toBe(1)
  })

  it('tells the reader of an answer that takes too long to finish', async () => {
    await using server = await startServer({ stepDelayMs: 5 })
    const response = await ask(server, { max_tokens: 1_000 })
    const closed = server.gateway.close({ drainMs: 50 })
    const events = await readAll(response)
    await closed
    expect(errorCodeOf(events)).toBe('shutting_down')
    expect(events.at(-1)?.id).toBe(`${idOf(response)}:${events.length}`)
  })
})
