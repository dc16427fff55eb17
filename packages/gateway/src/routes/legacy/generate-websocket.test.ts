import { once } from 'node:events'
import { GenerationFailedError } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { eventually } from '../../fixtures/test-gateway.ts'
import { startTestServer } from '../../fixtures/test-server.ts'
import { textOf } from '../../fixtures/v2-client.ts'

describe('/api/v2/generate', () => {
  describe('a session whose engine can prewarm it', () => {
    it('is prewarmed before the first message, which then uses it', async () => {
      const opened: number[] = []
      await using server = await startTestServer({ prewarm: async () => void opened.push(1) })
      const client = await server.connect()
      await client.startSession(100)
      await eventually(() => opened.length === 1)
      expect(server.engine.openSessions).toBe(1)
      expect(textOf(await client.generate({ inputs: 'Hi', max_new_tokens: 5 }))).toHaveLength(5)
      expect(server.engine.sessionsOpened).toBe(1)
      client.socket.close()
      await eventually(() => server.engine.openSessions === 0)
    })

    it('is closed if no message comes', async () => {
      await using server = await startTestServer({ prewarm: () => new Promise(() => {}) })
      const client = await server.connect()
      await client.startSession(100)
      await eventually(() => server.engine.openSessions === 1)
      client.socket.close()
      await eventually(() => server.engine.openSessions === 0)
    })

    it('answers even if prewarming failed', async () => {
      const prewarm = () => Promise.reject(new GenerationFailedError('no server answers'))
      await using server = await startTestServer({ prewarm })
      const client = await server.connect()
      await client.startSession(100)
      expect(textOf(await client.generate({ inputs: 'Hi', max_new_tokens: 5 }))).toHaveLength(5)
    })

    it('is not opened in advance where another client could lose its session', async () => {
      const opened: number[] = []
      await using server = await startTestServer({ maxSessions: 1, prewarm: async () => void opened.push(1) })
      const client = await server.connect()
      await client.startSession(100)
      await client.generate({ inputs: 'Hi', max_new_tokens: 5 })
      expect(opened).toEqual([])
    })
  })

  it.each([-1, 5000])(
    'gives an answer of max_new_tokens %i as far as the session has room',
    async (max_new_tokens) => {
      await using server = await startTestServer()
      const client = await server.connect()
      await client.startSession(16)
      const answers = await client.generate({ inputs: '0123456789', max_new_tokens })
      expect(answers).toMatchObject([{ ok: true, stop: true, token_count: 6 }])
    },
  )

  it('says when the session is full, and closes it', async () => {
    await using server = await startTestServer()
    const client = await server.connect()
    await client.startSession(16)
    const answers = await client.generate({ inputs: '0123456789', max_new_tokens: 1, stop_sequence: '!' })
    expect(answers.slice(0, -1)).toHaveLength(7)
    expect(answers.at(-1)).toEqual({
      ok: false,
      traceback: expect.stringMatching(/^Maximum length exceeded: 17/),
    })
    const [code] = (await once(client.socket, 'close')) as [number]
    expect(code).toBe(1000)
    await eventually(() => server.engine.openSessions === 0)
  })

  it('works on when others needed the room of its KV cache meanwhile', async () => {
    await using server = await startTestServer({ maxSessions: 1 })
    const one = await server.connect()
    const two = await server.connect()
    await one.startSession(100)
    await two.startSession(100)
    const first = await one.generate({ inputs: 'Once upon', max_new_tokens: 5 })
    await two.generate({ inputs: 'Other', max_new_tokens: 5 })
    const second = await one.generate({ max_new_tokens: 5 })
    await two.generate({ max_new_tokens: 5 })
    const whole = await server.connect()
    await whole.startSession(100)
    const expected = await whole.generate({ inputs: 'Once upon', max_new_tokens: 10 })
    expect(textOf([...first, ...second])).toBe(textOf(expected))
  })

  it.each([
    ['{"type":', /is not JSON/],
    ['[]', /must be a JSON object/],
    [{ type: 'generate', inputs: 'a' }, /first message must have the type "open_inference_session"/],
    [{ type: 'open_inference_session', model: 'test' }, /^max_length must be/],
    [{ type: 'open_inference_session', max_length: 0 }, /^max_length must be/],
    [{ type: 'open_inference_session', max_length: 'long' }, /^max_length must be an integer/],
    [{ type: 'open_inference_session', max_length: 16, model: 'nope' }, /'nope' does not exist here/],
    [{ type: 'open_inference_session', max_length: 4096 }, /^Maximum length exceeded: 4096 .* 2048/],
    [{ __proto__: { type: 'open_inference_session', max_length: 16 } }, /first message must have/],
  ])('refuses %o as a first message', async (message, traceback) => {
    await using server = await startTestServer({ config: { unknownModel: 'refuse' } })
    const client = await server.connect()
    client.send(message)
    expect(await client.next()).toEqual({ ok: false, traceback: expect.stringMatching(traceback) })
    expect(await client.next()).toBeUndefined()
  })

  it.each([
    [{ type: 'open_inference_session', max_length: 16 }, /next message must have the type "generate"/],
    [{ type: 'generate', inputs: 'a', max_new_tokens: -2 }, /^max_new_tokens must be at least 1/],
    [{ type: 'generate', inputs: { a: 1 } }, /^inputs must be a string/],
    [{ type: 'generate', inputs: 'a', stop_sequence: 5 }, /^stop_sequence must be a string/],
    [{ type: 'generate', inputs: 'a', stop_sequence: 'a'.repeat(1_001) }, /texts of 1000 characters/],
    [{ type: 'generate', stop_sequence: '#', extra_stop_sequences: Array(100).fill('a') }, /100 texts/],
    [{ type: 'generate', inputs: 'a', do_sample: 1, temperature: -1 }, /^temperature must be above 0/],
    [{ type: 'generate', inputs: 'abcdefghijklmnopqrstuvwxyz' }, /^Maximum length exceeded: 26/],
  ])('refuses %o as a next message', async (message, traceback) => {
    await using server = await startTestServer()
    const client = await server.connect()
    await client.startSession(16)
    client.send(message)
    expect(await client.next()).toEqual({ ok: false, traceback: expect.stringMatching(traceback) })
    expect(await client.next()).toBeUndefined()
  })

  it('takes the first model where none is named, numbers as text, and binary messages', async () => {
    await using server = await startTestServer()
    const client = await server.connect()
    client.socket.send(Buffer.from('{"type":"open_inference_session","max_length":"64"}'))
    expect(await client.next()).toEqual({ ok: true })
    expect(await client.generate({ inputs: 'a', max_new_tokens: '3', do_sample: false })).toMatchObject([
      { token_count: 3 },
    ])
  })

  it('lets only pages of this server use restricted models', async () => {
    await using server = await startTestServer({ specs: [{ publicApi: false }] })
    const stranger = await server.connect()
    expect(await stranger.startSession(16)).toEqual({
      ok: false,
      traceback: expect.stringMatching(/^The licence of 'test' does not allow a public API/),
    })
    const page = await server.connect({ origin: server.url })
    expect(await page.startSession(16)).toEqual({ ok: true })
  })

  it('expires when nothing comes, in the words that pages look for', async () => {
    await using server = await startTestServer({ config: { stepTimeoutMs: 30 } })
    const client = await server.connect()
    await client.startSession(16)
    const { ok, traceback } = await client.next()
    expect(ok).toBe(false)
    expect(traceback).toMatch(/Session .+ expired/)
    expect(await client.next()).toBeUndefined()
  })

  it.each([
    ['prefill', 0],
    ['decode', 3],
  ])('frees the session when the client leaves in the middle of the %s', async (_phase, step) => {
    const reached = Promise.withResolvers<void>()
    await using server = await startTestServer({
      beforeStep: async (at) => {
        if (at.step < step) return
        reached.resolve()
        await new Promise((resolve) => setTimeout(resolve, 60_000).unref())
      },
    })
    const client = await server.connect()
    await client.startSession(100)
    client.send({ type: 'generate', inputs: 'Hello', max_new_tokens: 50 })
    await reached.promise
    expect(server.engine.openSessions).toBe(1)
    client.socket.terminate()
    await eventually(() => server.engine.openSessions === 0)
  })

  it('frees the session of a client that leaves while it waits for its turn', async () => {
    await using server = await startTestServer({ maxSessions: 1, stepDelayMs: 60_000 })
    const holder = await server.connect()
    await holder.startSession(100)
    holder.send({ type: 'generate', inputs: 'Hello', max_new_tokens: 5 })
    await eventually(() => server.engine.openSessions === 1)
    const waiting = await server.connect()
    await waiting.startSession(100)
    waiting.send({ type: 'generate', inputs: 'Hello', max_new_tokens: 5 })
    const queueLength = async () =>
      /petals_chat_queue_length\{model="test"\} (\d)/.exec((await server.metrics.render()).body)?.[1]
    while ((await queueLength()) !== '1') await new Promise((resolve) => setTimeout(resolve, 5))
    waiting.socket.terminate()
    while ((await queueLength()) !== '0') await new Promise((resolve) => setTimeout(resolve, 5))
  })

  it('says what a fault of the engine was, and closes', async () => {
    await using server = await startTestServer({
      beforeStep: ({ step }) => {
        if (step === 2) throw new GenerationFailedError('The engine crashed and is being restarted.')
      },
    })
    const client = await server.connect()
    await client.startSession(100)
    const answers = await client.generate({ inputs: 'Hello', max_new_tokens: 1, stop_sequence: '!' })
    expect(answers).toHaveLength(3)
    expect(answers[2]).toEqual({ ok: false, traceback: 'The engine crashed and is being restarted.' })
    expect(await client.next()).toBeUndefined()
  })

  it('says that everything is busy in the words that pages look for', async () => {
    await using server = await startTestServer({
      maxSessions: 1,
      stepDelayMs: 60_000,
      config: { sessions: { queueLength: 0 } },
    })
    const holder = await server.connect()
    await holder.startSession(100)
    holder.send({ type: 'generate', inputs: 'Hello', max_new_tokens: 5 })
    await eventually(() => server.engine.openSessions === 1)
    const late = await server.connect()
    await late.startSession(100)
    expect(await late.generate({ inputs: 'Hello', max_new_tokens: 5 })).toEqual([
      { ok: false, traceback: expect.stringMatching(/attention cache is full/) },
    ])
  })
})
