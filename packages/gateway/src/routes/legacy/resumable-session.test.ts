import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { GenerationFailedError } from '@petals-chat/engine'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { eventually, readJson } from '../../fixtures/test-gateway.ts'
import { startTestServer, type TestServer } from '../../fixtures/test-server.ts'
import { type V2Client, type Message, textOf } from '../../fixtures/v2-client.ts'

/** Token by token to an exclamation mark, which the model never writes: until it is stopped or the session is full. */
const endless = { type: 'generate', inputs: 'Once upon', max_new_tokens: 1, stop_sequence: '!' }

async function open(server: TestServer, maxLength = 100): Promise<{ client: V2Client; id: string }> {
  const client = await server.connect()
  const { id, ...rest } = await client.startSession(maxLength, { resumable: true })
  expect(rest).toEqual({ ok: true, generate_count: 0 })
  expect(id).toMatch(/^ans_[\w-]{22}$/)
  return { client, id }
}

async function resume(
  server: TestServer,
  id: string,
  received: number,
): Promise<{ client: V2Client; state: Message }> {
  const client = await server.connect()
  client.send({ type: 'resume', id, received })
  return { client, state: await client.next() }
}

async function take(client: V2Client, count: number): Promise<Message[]> {
  const messages: Message[] = []
  while (messages.length < count) {
    const message = await client.next()
    if (message === undefined) break
    messages.push(message)
  }
  return messages
}

/** What an unbroken session answers to the same. */
async function wholeText(server: TestServer, ...generates: object[]): Promise<string> {
  using client = await server.connect()
  await client.startSession(100)
  const answers: Message[] = []
  for (const generate of generates) answers.push(...(await client.generate(generate)))
  return textOf(answers)
}

const running = 'petals_chat_resumable_answers{state="running"}'
const finished = 'petals_chat_resumable_answers{state="finished"}'

describe('a resumable session', () => {
  it('numbers its messages; one that did not ask has no trace of it', async () => {
    await using server = await startTestServer()
    const { client } = await open(server)
    client.send(endless)
    const messages = await take(client, 3)
    expect(messages.map(({ seq }) => seq)).toEqual([1, 2, 3])
    expect(messages[0]).toEqual({
      ok: true,
      outputs: expect.any(String),
      stop: false,
      token_count: 1,
      seq: 1,
    })
    const plain = await server.connect()
    for (const resumable of [false, 0, null]) {
      const other = await server.connect()
      expect(await other.startSession(16, { resumable })).toEqual({ ok: true })
    }
    expect(await plain.startSession(16)).toEqual({ ok: true })
    expect(await plain.generate({ inputs: 'a', max_new_tokens: 1 })).toEqual([
      { ok: true, outputs: expect.any(String), stop: true, token_count: 1 },
    ])
  })

  it('goes on when its socket is cut, and sends what came after the last message that was received', async () => {
    await using server = await startTestServer({ stepDelayMs: 2 })
    const { client, id } = await open(server)
    client.send(endless)
    const first = await take(client, 4)
    client.socket.terminate()
    await eventually(() => server.engine.steps > 20)
    const { client: second, state } = await resume(server, id, 4)
    expect(state).toEqual({ ok: true, id, generate_count: 1 })
    const rest = await take(second, Infinity)
    expect(rest.at(-1)).toMatchObject({ ok: false, traceback: expect.stringMatching(/^Maximum length/) })
    const all = [...first, ...rest]
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1))
    expect(textOf(all)).toBe(await wholeText(server, endless))
    expect(await server.figure('petals_chat_answer_resumptions_total{kind="session"}')).toBe(1)
  })

  it('keeps its dialogue and its KV cache over a cut, and tells whether a generate arrived', async () => {
    const prefills: number[] = []
    await using server = await startTestServer({
      beforeStep: ({ step, tokens }) => void (step === 0 && prefills.push(tokens)),
    })
    const { client, id } = await open(server)
    const parts = await client.generate({ inputs: 'Once upon', max_new_tokens: 5 })
    client.socket.terminate()
    const { client: second, state } = await resume(server, id, parts.length)
    expect(state).toMatchObject({ generate_count: 1 })
    parts.push(...(await second.generate({ max_new_tokens: 5 })))
    expect(prefills).toEqual([9, 1])
    expect(textOf(parts)).toBe(await wholeText(server, { inputs: 'Once upon', max_new_tokens: 10 }))
    expect(parts.map(({ seq }) => seq)).toEqual([1, 2])
  })

  it('has one connection: a new one takes over from one that hangs', async () => {
    await using server = await startTestServer({ stepDelayMs: 2 })
    const { client, id } = await open(server)
    client.send(endless)
    const first = await take(client, 2)
    const closed = once(client.socket, 'close')
    const { client: second } = await resume(server, id, 2)
    const next = await second.next()
    expect([...first, next].map(({ seq }) => seq)).toEqual([1, 2, 3])
    expect((await closed)[0]).toBe(4409)
    await take(second, 5)
    expect(await server.figure(running)).toBe(1)
  })

  it('ends when its client closes it, and stops the engine within a step', async () => {
    await using server = await startTestServer({ stepDelayMs: 5 })
    for (const code of [1000, undefined]) {
      const { client, id } = await open(server, 1_000)
      client.send(endless)
      await take(client, 2)
      client.socket.terminate()
      const { client: second } = await resume(server, id, 2)
      await take(second, 2)
      second.socket.close(code)
      await eventually(() => server.engine.openSessions === 0)
      const steps = server.engine.steps
      await sleep(30)
      expect(server.engine.steps).toBe(steps)
      const { state } = await resume(server, id, 0)
      expect(state).toEqual({ ok: false, traceback: expect.stringMatching(/Session .+ expired: .*deleted/) })
    }
    expect([await server.figure(running), await server.figure(finished)]).toEqual([0, 0])
  })

  it('lives on when its page is left or reloaded', async () => {
    await using server = await startTestServer({ stepDelayMs: 5 })
    const { client, id } = await open(server)
    client.send(endless)
    await take(client, 2)
    // As a browser's: programs can't close with this code.
    ;(client.socket as unknown as { _sender: { close(code: number): void } })._sender.close(1001)
    await once(client.socket, 'close')
    const { client: second } = await resume(server, id, 2)
    expect(await second.next()).toMatchObject({ seq: 3 })
  })

  it('ends when its client does not come back in time, and frees its sessions and its memory', async () => {
    await using server = await startTestServer({
      stepDelayMs: 5,
      config: { answers: { unreadTimeoutMs: 40, keepMs: 100 } },
    })
    const busy = await open(server)
    busy.client.send(endless)
    await take(busy.client, 2)
    const idle = await open(server)
    await idle.client.generate({ inputs: 'a', max_new_tokens: 1 })
    busy.client.socket.terminate()
    idle.client.socket.terminate()
    await eventually(() => server.engine.openSessions === 0)
    const { client, state } = await resume(server, busy.id, 2)
    expect(state).toMatchObject({ ok: true })
    const last = (await take(client, Infinity)).at(-1)
    expect(last).toMatchObject({ ok: false, traceback: expect.stringMatching(/Session .+ expired/) })
    await vi.waitFor(async () => {
      expect([await server.figure(running), await server.figure(finished)]).toEqual([0, 0])
      expect(await server.figure('petals_chat_resumable_answer_bytes')).toBe(0)
    })
    expect(
      await server.figure('petals_chat_resumable_answers_ended_total{kind="session",outcome="expired"}'),
    ).toBe(2)
  })

  it('tells a client that was cut of a fault of the engine', async () => {
    await using server = await startTestServer({
      stepDelayMs: 2,
      beforeStep: ({ step }) => {
        if (step === 8) throw new GenerationFailedError('The engine crashed.')
      },
    })
    const { client, id } = await open(server)
    client.send(endless)
    await take(client, 1)
    client.socket.terminate()
    await vi.waitFor(async () => expect(await server.figure(finished)).toBe(1))
    const { client: second } = await resume(server, id, 1)
    expect((await take(second, Infinity)).at(-1)).toEqual({
      ok: false,
      traceback: 'The engine crashed.',
      seq: 9,
    })
  })

  it('can be stopped over HTTP by its id, but not read there', async () => {
    await using server = await startTestServer({ stepDelayMs: 5 })
    const { client, id } = await open(server)
    client.send(endless)
    await take(client, 2)
    expect((await fetch(`${server.url}/v1/answers/${id}/stream`)).status).toBe(404)
    const response = await fetch(`${server.url}/v1/answers/${id}/cancel`, { method: 'POST' })
    expect(await readJson(response)).toEqual({ id, object: 'answer', outcome: 'cancelled' })
    const last = (await take(client, Infinity)).at(-1)
    expect(last).toMatchObject({ ok: false, traceback: expect.stringContaining('stopped on request') })
  })

  it.each([
    [{ id: 'ans_AAAAAAAAAAAAAAAAAAAAAA', received: 0 }, /keeps no answer with that id/],
    [{ received: 0 }, /keeps no answer with that id/],
    [{ id: 5 }, /^id must be a string/],
    [{ received: 1 }, /^received must be the seq .* 0 to 0, but is 1\./, true],
    [{ received: -1 }, /^received must be the seq/, true],
    [{ received: 'x' }, /^received must be an integer/, true],
  ])('refuses to be resumed by %o', async (params, traceback, known = false) => {
    await using server = await startTestServer()
    const { client: owner, id } = await open(server)
    const client = await server.connect()
    client.send({ type: 'resume', ...(known && { id }), ...params })
    expect(await client.next()).toEqual({ ok: false, traceback: expect.stringMatching(traceback) })
    expect(await client.next()).toBeUndefined()
    expect(await owner.generate({ inputs: 'a', max_new_tokens: 1 })).toMatchObject([{ ok: true, seq: 1 }])
  })

  it('is a plain session where no more are kept', async () => {
    await using server = await startTestServer({ config: { answers: { maxKept: 1 } } })
    await open(server)
    const client = await server.connect()
    expect(await client.startSession(16, { resumable: true })).toEqual({ ok: true })
  })

  it('ends with the server: at once if it is idle or has no reader, else after its answer', async () => {
    await using server = await startTestServer({ stepDelayMs: 5 })
    const [idle, unread, busy] = [await open(server), await open(server, 1_000), await open(server)]
    unread.client.send(endless)
    busy.client.send({ type: 'generate', inputs: 'Once upon', max_new_tokens: 20 })
    await take(unread.client, 2)
    unread.client.socket.terminate()
    await sleep(20)
    const closed = server.gateway.close({ drainMs: 10_000 })
    expect(await idle.client.next()).toMatchObject({ ok: false, seq: 1 })
    expect(await take(busy.client, Infinity)).toMatchObject([
      { ok: true, stop: true, token_count: 20, seq: 1 },
      { ok: false, traceback: expect.stringContaining('shutting down'), seq: 2 },
    ])
    await closed
    expect(server.engine.openSessions).toBe(0)
  })

  it('loses and doubles nothing, however often it is cut and whenever', async () => {
    const letters = Buffer.from('Größe, 😀 und so weiter!')
    await using server = await startTestServer({
      continuation: ({ length }) => letters[length % letters.length]!,
    })
    const sent = ['Q?', 'And?'].map((inputs) => ({ ...endless, inputs }))
    const expected = await wholeText(server, ...sent)
    const cuts = fc.array(fc.record({ take: fc.nat(6), pauseMs: fc.nat(3) }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(cuts, async (plan) => {
        const { client, id } = await open(server)
        const got: Message[] = []
        let current = client
        let answered = 0
        let asked = 0
        const ask = () => {
          if (asked > answered || asked === sent.length) return
          current.send(sent[asked]!)
          asked += 1
        }
        const takeOne = async () => {
          ask()
          const message = await current.next()
          got.push(message)
          if (message.stop) answered += 1
        }
        for (const { take: count, pauseMs } of plan) {
          for (let index = 0; index < count && answered < sent.length; index++) await takeOne()
          ask()
          if (pauseMs > 0) await sleep(pauseMs)
          current.socket.terminate()
          const resumed = await resume(server, id, got.length)
          current = resumed.client
          // A generate that never arrived is sent again.
          asked = resumed.state.generate_count
        }
        while (answered < sent.length) await takeOne()
        expect(got.map(({ seq }) => seq)).toEqual(got.map((_, index) => index + 1))
        expect(textOf(got)).toBe(expected)
        current.socket.close(1000)
      }),
      { numRuns: 60 },
    )
    await eventually(() => server.engine.openSessions === 0)
    expect(await server.figure(running)).toBe(0)
  })
})
