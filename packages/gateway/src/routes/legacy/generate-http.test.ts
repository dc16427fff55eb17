import { request as httpRequest } from 'node:http'
import { GenerationFailedError } from '@petals-chat/engine'
import { scriptedTokenizer, specialToken } from '@petals-chat/engine/testing'
import { describe, expect, it } from 'vitest'
import {
  createTestGateway,
  eventually,
  type LogRecord,
  recordingLogger,
  readJson,
} from '../../fixtures/test-gateway.ts'

/** Continues every text with the given tokens, by how many came after `promptLength`. */
const script = (tokens: readonly number[], promptLength: number) => (history: readonly number[]) =>
  tokens[history.length - promptLength] ?? 'x'.charCodeAt(0)

const form = (values: Record<string, string>) => ({ method: 'POST', body: new URLSearchParams(values) })
const json = (values: object | string) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: typeof values === 'string' ? values : JSON.stringify(values),
})

describe('/api/v1/generate', () => {
  it("answers the README's curl command, with only the new text and its leading space", async () => {
    const words = scriptedTokenizer.encode(' there was a young woman')
    await using test = createTestGateway({ continuation: script(words, 'Once upon a time,'.length) })
    const body = { model: 'test', inputs: 'Once upon a time,', max_new_tokens: '20' }
    const response = await test.app.request('/api/v1/generate', form(body))
    expect(response.status).toBe(200)
    expect(await readJson(response)).toEqual({ ok: true, outputs: ' there was a young w' })
  })

  it('takes parameters from the query, a form, a multipart form and JSON alike', async () => {
    await using test = createTestGateway()
    const values = { model: 'test', inputs: 'Hello', max_new_tokens: '5' }
    const multipart = new FormData()
    for (const [name, value] of Object.entries(values)) multipart.append(name, value)
    const responses = await Promise.all([
      test.app.request(`/api/v1/generate?${new URLSearchParams(values)}`),
      test.app.request(`/api/v1/generate?${new URLSearchParams(values)}`, { method: 'POST' }),
      test.app.request('/api/v1/generate', form(values)),
      test.app.request('/api/v1/generate', { method: 'POST', body: multipart }),
      test.app.request('/api/v1/generate', json({ ...values, max_new_tokens: 5 })),
    ])
    const bodies = await Promise.all(responses.map(readJson))
    for (const body of bodies) expect(body).toEqual({ ok: true, outputs: expect.stringMatching(/^.{5}$/) })
    expect(new Set(bodies.map(({ outputs }) => outputs)).size).toBe(1)
  })

  it('lets the query win over the body, and the first of several values count', async () => {
    await using test = createTestGateway()
    const response = await test.app.request(
      '/api/v1/generate?max_new_tokens=2&max_new_tokens=9',
      form({ inputs: 'Hello', max_new_tokens: '7' }),
    )
    expect((await readJson(response)).outputs).toHaveLength(2)
  })

  it('uses the first model where none is named, and aliases as names', async () => {
    await using test = createTestGateway({
      specs: [{ id: 'first', aliases: ['old/name'] }, { id: 'second' }],
    })
    for (const model of [{}, { model: 'old/name' }, { model: 'second' }]) {
      const response = await test.app.request(
        '/api/v1/generate',
        json({ ...model, inputs: 'a', max_length: 3 }),
      )
      expect(response.status).toBe(200)
    }
  })

  it('takes a name that it does not have as the config says', async () => {
    const statusFor = async (unknownModel: 'auto' | 'refuse', ...ids: string[]) => {
      await using test = createTestGateway({ specs: ids.map((id) => ({ id })), config: { unknownModel } })
      const body = json({ model: 'petals-team/StableBeluga2', inputs: 'a', max_new_tokens: 1 })
      return (await test.app.request('/api/v1/generate', body)).status
    }
    expect(await statusFor('auto', 'only')).toBe(200)
    expect(await statusFor('auto', 'one', 'two')).toBe(404)
    expect(await statusFor('refuse', 'only')).toBe(404)
  })

  it('ends at an end token, and shows it', async () => {
    const tokens = [...scriptedTokenizer.encode(' yes'), specialToken('</s>')]
    await using test = createTestGateway({ continuation: script(tokens, 2) })
    const response = await test.app.request('/api/v1/generate', json({ inputs: 'no', max_new_tokens: 50 }))
    expect(await readJson(response)).toEqual({ ok: true, outputs: ' yes</s>' })
  })

  it('counts max_length with the prompt, and gives at least one token', async () => {
    await using test = createTestGateway()
    const lengthOf = async (values: object) => {
      const response = await test.app.request('/api/v1/generate', json({ inputs: 'Hello', ...values }))
      return (await readJson(response)).outputs.length
    }
    expect(await lengthOf({ max_length: 8 })).toBe(3)
    expect(await lengthOf({ max_length: 5 })).toBe(1)
    expect(await lengthOf({ max_length: 6, max_new_tokens: 4 })).toBe(4)
  })

  it('begins a text of its own where there are no inputs', async () => {
    await using test = createTestGateway()
    for (const inputs of [{}, { inputs: '' }, { inputs: null }]) {
      const response = await test.app.request('/api/v1/generate', json({ ...inputs, max_new_tokens: 4 }))
      expect(await readJson(response)).toEqual({ ok: true, outputs: expect.stringMatching(/^[a-z ]{4}$/) })
    }
  })

  it('finds the start of a prompt in the cache of an earlier call', async () => {
    const prefills: number[] = []
    await using test = createTestGateway({
      beforeStep: ({ step, tokens }) => void (step === 0 && prefills.push(tokens)),
    })
    await test.app.request('/api/v1/generate', json({ inputs: 'Once upon a time', max_new_tokens: 2 }))
    await test.app.request('/api/v1/generate', json({ inputs: 'Once upon a time there', max_new_tokens: 2 }))
    expect(prefills).toEqual([16, 6])
  })

  it.each([
    [{ inputs: 'a' }, 400, /You should set `max_length` or `max_new_tokens`/],
    [{ inputs: 'a', max_new_tokens: 'many' }, 400, /^max_new_tokens must be an integer, but is "many"\.$/],
    [{ inputs: 'a', max_new_tokens: 0 }, 400, /^max_new_tokens must be at least 1/],
    [{ inputs: 'a', max_new_tokens: 1, do_sample: 1, temperature: -1 }, 400, /^temperature must be above 0/],
    [{ inputs: 'a', max_new_tokens: -2 }, 400, /^max_new_tokens must be at least 1, or -1/],
    [
      { inputs: 'a'.repeat(2049), max_new_tokens: 1 },
      400,
      /^Maximum length exceeded: 2049 tokens are needed, 2048/,
    ],
    [{ inputs: ['a'], max_new_tokens: 1 }, 400, /^inputs must be a string/],
    [{ inputs: 'Hello', max_length: 4 }, 400, /^Maximum length exceeded: 5 tokens/],
    ['{"inputs": ', 400, /is not JSON: it ends too early\.$/],
    ['{"inputs": "my secret",}', 400, /is not JSON: at position 23 \(line 1 column 24\)\.$/],
    ['[1]', 400, /must be a JSON object/],
    ['null', 400, /must be a JSON object/],
  ])('refuses %o with status %i', async (body, status, message) => {
    await using test = createTestGateway()
    const response = await test.app.request('/api/v1/generate', json(body))
    expect(response.status).toBe(status)
    expect(await readJson(response)).toEqual({ ok: false, traceback: expect.stringMatching(message) })
    expect(test.engine.steps).toBe(0)
  })

  it('refuses bodies of another kind', async () => {
    await using test = createTestGateway()
    const request = (contentType: string, body: string) =>
      test.app.request('/api/v1/generate', { method: 'POST', headers: { 'content-type': contentType }, body })
    expect((await request('text/plain', 'inputs=a')).status).toBe(415)
    expect((await request('multipart/form-data; boundary=x', 'no form')).status).toBe(400)
    expect((await request('text/plain', ' ')).status).toBe(400)
  })

  it('keeps restricted models to the page', async () => {
    await using test = createTestGateway({ specs: [{ publicApi: false }] })
    const headers = {
      host: 'localhost:5000',
      origin: 'http://localhost:5000',
      'content-type': 'application/json',
    }
    const body = JSON.stringify({ inputs: 'a', max_new_tokens: 1 })
    const response = await test.app.request('/api/v1/generate', { method: 'POST', headers, body })
    expect(response.status).toBe(403)
    expect((await readJson(response)).traceback).toMatch(/^The licence of 'test' does not allow a public API/)
    expect(test.engine.loads).toBe(0)
  })

  it('bounds sessions by the config of the model', async () => {
    await using test = createTestGateway({ specs: [{ maxSessionLength: 16 }] })
    const response = await test.app.request(
      '/api/v1/generate',
      json({ inputs: 'a'.repeat(17), max_length: 20 }),
    )
    expect((await readJson(response)).traceback).toMatch(
      /^Maximum length exceeded: 17 tokens are needed, 16 are allowed/,
    )
  })

  it('cuts an answer that is asked for longer to the room that there is', async () => {
    await using test = createTestGateway({ specs: [{ maxSessionLength: 16 }] })
    for (const length of [
      { max_length: 17 },
      { max_new_tokens: 5000 },
      { max_new_tokens: 16 },
      { max_new_tokens: -1 },
    ]) {
      const response = await test.app.request('/api/v1/generate', json({ inputs: 'Hello', ...length }))
      expect((await readJson(response)).outputs).toHaveLength(11)
    }
  })

  it('reads what stands for nothing as nothing', async () => {
    await using test = createTestGateway()
    const textFor = async (values: object) => {
      const response = await test.app.request(
        '/api/v1/generate',
        json({ inputs: 'Hello', max_new_tokens: 8, ...values }),
      )
      expect(response.status).toBe(200)
      return (await readJson(response)).outputs as string
    }
    expect(await textFor({ do_sample: 1, temperature: 0 })).toBe(await textFor({}))
    await textFor({ do_sample: 1, temperature: 1, top_k: -1, top_p: 0 })
  })

  it('tells clients of the WebSocket API that they need a WebSocket', async () => {
    await using test = createTestGateway()
    const response = await test.app.request('/api/v2/generate')
    expect(response.status).toBe(400)
    expect((await readJson(response)).traceback).toContain('WebSocket')
  })

  it('does not generate if the client asks only for headers', async () => {
    await using test = createTestGateway()
    const response = await test.app.request('/api/v1/generate?inputs=a&max_new_tokens=1', { method: 'HEAD' })
    expect(response.headers.get('allow')).toBe('GET, POST')
    expect(response.status).toBe(405)
    expect(test.engine.steps).toBe(0)
  })

  it('shows faults of the engine in words, and those of this program only to the log', async () => {
    const records: LogRecord[] = []
    let fault: Error = new GenerationFailedError('The engine crashed and is being restarted.')
    await using test = createTestGateway({
      logger: recordingLogger(records),
      beforeStep: () => {
        throw fault
      },
    })
    const known = await test.app.request('/api/v1/generate', json({ inputs: 'a', max_new_tokens: 1 }))
    expect(known.status).toBe(502)
    expect(await readJson(known)).toEqual({
      ok: false,
      traceback: 'The engine crashed and is being restarted.',
    })

    fault = new TypeError('undefined is not a function')
    const unknown = await test.app.request('/api/v1/generate', json({ inputs: 'secret', max_new_tokens: 1 }))
    expect(unknown.status).toBe(500)
    const requestId = unknown.headers.get('x-request-id')
    expect((await readJson(unknown)).traceback).toBe(
      `An unexpected error happened in this server. Its log has the details under request id ${requestId}.`,
    )
    const logged = records.find(({ level }) => level === 'error')
    expect(logged?.fields).toMatchObject({ err: fault, requestId })
    expect(JSON.stringify(records)).not.toContain('secret')
  })

  it('asks to come again when everything is busy', async () => {
    const busy = Promise.withResolvers<void>()
    await using test = createTestGateway({
      maxSessions: 1,
      beforeStep: () => busy.promise,
      config: { sessions: { queueLength: 0 } },
    })
    const first = test.app.request('/api/v1/generate', json({ inputs: 'a', max_new_tokens: 1 }))
    await eventually(() => test.engine.openSessions === 1)
    const second = await test.app.request('/api/v1/generate', json({ inputs: 'b', max_new_tokens: 1 }))
    expect(second.status).toBe(429)
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await readJson(second)).traceback).toContain('attention cache is full')
    busy.resolve()
    expect((await first).status).toBe(200)
  })

  it('stops the engine when the client hangs up', async () => {
    let steps = 0
    await using test = createTestGateway({ stepDelayMs: 5, beforeStep: () => void steps++ })
    const { port } = await test.listen()
    const path = '/api/v1/generate?inputs=a&max_new_tokens=1000'
    const request = httpRequest({ host: '127.0.0.1', port, path })
    request.on('error', () => {})
    request.end()
    await eventually(() => steps > 3)
    request.destroy()
    await eventually(async () =>
      (await test.metrics.render()).body.includes('petals_chat_sessions{model="test",state="leased"} 0'),
    )
    const stepsThen = steps
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(steps).toBe(stepsThen)
    expect(steps).toBeLessThan(1000)
  })
})
