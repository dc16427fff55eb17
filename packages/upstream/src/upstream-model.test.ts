import { setTimeout as sleep } from 'node:timers/promises'
import {
  CapacityError,
  ContextLengthError,
  GenerationFailedError,
  InvalidRequestError,
  ModelUnavailableError,
} from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventsOf, openModel, question, textOf } from './fixtures/test-model.ts'
import { begin, delta, end, json, send, stream, TestServer, usage } from './fixtures/test-server.ts'

let server: TestServer
beforeEach(async () => void (server = await TestServer.start()))
afterEach(() => server.close())

describe('an answer of another server', () => {
  it('comes in parts, with the usage that the server counted', async () => {
    server.answer = (response) =>
      stream(response, [
        delta({ role: 'assistant', content: '' }),
        delta({ reasoning_content: 'Hm.' }),
        delta({ content: 'He' }),
        delta({ content: 'llo' }),
        end('length'),
        usage(12, 5, 8),
      ])
    await using opened = await openModel({ baseUrl: server.baseUrl, model: 'org/big' })
    expect(await eventsOf(opened.model, { ...question, temperature: 0 })).toEqual([
      { type: 'parts', parts: [{ type: 'reasoning', text: 'Hm.' }], tokens: [] },
      { type: 'parts', parts: [{ type: 'content', text: 'He' }], tokens: [] },
      { type: 'parts', parts: [{ type: 'content', text: 'llo' }], tokens: [] },
      {
        type: 'end',
        finishReason: 'length',
        stopText: undefined,
        usage: { promptTokens: 12, completionTokens: 5, cachedTokens: 8, isEstimated: false },
      },
    ])
    expect(server.asked).toMatchObject([
      {
        path: '/v1/chat/completions',
        body: {
          ...question,
          temperature: 0,
          model: 'org/big',
          stream: true,
          stream_options: { include_usage: true },
        },
      },
    ])
  })

  it('has calls, however the server divides them', async () => {
    server.answer = (response) =>
      stream(response, [
        delta({
          tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }],
        }),
        delta({ tool_calls: [{ index: 0, function: { arguments: '{"x"' } }] }),
        delta({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
        delta({ tool_calls: [{ id: 'b', function: { name: 'g', arguments: '{}' } }] }),
        end('tool_calls'),
      ])
    await using opened = await openModel({ baseUrl: server.baseUrl })
    const events = await eventsOf(opened.model)
    expect(events.flatMap((event) => (event.type === 'parts' ? event.parts : []))).toEqual([
      { type: 'tool-call', index: 0, id: 'a', name: 'f' },
      { type: 'tool-arguments', index: 0, text: '{"x"' },
      { type: 'tool-arguments', index: 0, text: ':1}' },
      { type: 'tool-call', index: 1, id: 'b', name: 'g' },
      { type: 'tool-arguments', index: 1, text: '{}' },
    ])
    expect(events.at(-1)).toMatchObject({ finishReason: 'tool_calls', usage: { isEstimated: true } })
  })

  it('has all calls of a server that gives each the index 0', async () => {
    const call = (id: string, name: string, text: string) => ({
      tool_calls: [{ index: 0, id, type: 'function', function: { name, arguments: text } }],
    })
    server.answer = (response) =>
      stream(response, [
        delta(call('a', 'f', '{"a":1}')),
        delta(call('b', 'g', '{"b":')),
        delta({ tool_calls: [{ index: 0, function: { arguments: '2}' } }] }),
        end('tool_calls'),
      ])
    await using opened = await openModel({ baseUrl: server.baseUrl })
    const events = await eventsOf(opened.model)
    expect(events.flatMap((event) => (event.type === 'parts' ? event.parts : []))).toEqual([
      { type: 'tool-call', index: 0, id: 'a', name: 'f' },
      { type: 'tool-arguments', index: 0, text: '{"a":1}' },
      { type: 'tool-call', index: 1, id: 'b', name: 'g' },
      { type: 'tool-arguments', index: 1, text: '{"b":' },
      { type: 'tool-arguments', index: 1, text: '2}' },
    ])
  })

  it('is whole, even if the server neither ends the stream nor sends the usage', async () => {
    server.answer = (response) => {
      begin(response)
      send(response, delta({ content: 'Whole' }))
      send(response, end())
    }
    await using opened = await openModel({ baseUrl: server.baseUrl, idleTimeoutMs: 50 })
    const events = await eventsOf(opened.model)
    expect(textOf(events)).toBe('Whole')
    expect(events.at(-1)).toMatchObject({ finishReason: 'stop', usage: { isEstimated: true } })
  })

  it.each([
    ['abort', /ended an answer early \(abort\)/],
    ['insufficient_system_resource', /ended an answer early/],
  ])('is not whole after the reason %s', async (reason, words) => {
    server.answer = (response) => stream(response, [delta({ content: 'Half' }), end(reason)])
    await using opened = await openModel({ baseUrl: server.baseUrl, retries: 0 })
    await expect(eventsOf(opened.model)).rejects.toThrow(words)
  })

  it('that a filter cut has the end of an answer that is too long', async () => {
    server.answer = (response) => stream(response, [delta({ content: 'Half' }), end('content_filter')])
    await using opened = await openModel({ baseUrl: server.baseUrl })
    expect((await eventsOf(opened.model)).at(-1)).toMatchObject({ finishReason: 'length' })
  })

  it('keeps its length where the server does not know max_tokens', async () => {
    await using opened = await openModel({ baseUrl: server.baseUrl, omit: ['max_tokens'] })
    await eventsOf(opened.model, { ...question, max_tokens: 7 })
    expect(server.asked[0]!.body).toMatchObject({ max_completion_tokens: 7 })
    expect(server.asked[0]!.body).not.toHaveProperty('max_tokens')
  })

  it('has log probabilities in the form of chat completions, as llama-server sends them for texts', async () => {
    const logprobs = { content: [{ token: 'a', logprob: -0.5, bytes: [97], top_logprobs: [] }] }
    server.answer = (response) =>
      stream(response, [{ choices: [{ index: 0, text: 'a', logprobs, finish_reason: 'stop' }] }])
    await using opened = await openModel({ baseUrl: server.baseUrl })
    expect(await eventsOf(opened.model, { prompt: 'A', logprobs: 1 }, 'completion')).toMatchObject([
      { parts: [{ type: 'content', text: 'a' }], tokens: [{ text: 'a', logprob: -0.5 }] },
      { type: 'end' },
    ])
  })

  it('continues texts, and has log probabilities', async () => {
    const logprobs = { tokens: ['a'], token_logprobs: [-0.5], top_logprobs: [{ a: -0.5 }], text_offset: [0] }
    server.answer = (response) =>
      stream(response, [
        { choices: [{ index: 0, text: 'a', logprobs, finish_reason: 'stop', stop_reason: 'END' }] },
        usage(3, 1),
      ])
    await using opened = await openModel({ baseUrl: server.baseUrl })
    expect(await eventsOf(opened.model, { prompt: 'A', logprobs: 1 }, 'completion')).toMatchObject([
      {
        parts: [{ type: 'content', text: 'a' }],
        tokens: [{ text: 'a', bytes: null, logprob: -0.5, top: [{ text: 'a', bytes: null, logprob: -0.5 }] }],
      },
      { type: 'end', finishReason: 'stop', stopText: 'END' },
    ])
    expect(server.asked[0]!.path).toBe('/v1/completions')
  })

  it('is taken from a server that does not stream', async () => {
    server.answer = (response) =>
      json(response, 200, {
        choices: [
          { index: 0, message: { role: 'assistant', content: 'All at once' }, finish_reason: 'stop' },
        ],
        usage: { prompt_tokens: 4, completion_tokens: 3 },
      })
    await using opened = await openModel({ baseUrl: server.baseUrl })
    const events = await eventsOf(opened.model)
    expect(textOf(events)).toBe('All at once')
    expect(events.at(-1)).toMatchObject({ usage: { promptTokens: 4, completionTokens: 3 } })
  })
})

describe('the key', () => {
  it('goes to the server, and to no address that the server names', async () => {
    await using other = await TestServer.start()
    server.answer = (response) =>
      void response.writeHead(307, { location: `${other.baseUrl}/chat/completions` }).end()
    await using opened = await openModel({
      baseUrl: server.baseUrl,
      apiKey: 'sk-very-secret-1234',
      retries: 0,
    })
    await expect(eventsOf(opened.model)).rejects.toThrow(
      /redirects to another address, and redirects are not followed/,
    )
    expect(server.asked[0]!.headers.authorization).toBe('Bearer sk-very-secret-1234')
    expect(other.seen).toEqual([])
  })

  it('is in no error and no log line, even if the server repeats it', async () => {
    const lines: string[] = []
    const write = (fields: object, message: string) => void lines.push(JSON.stringify([fields, message]))
    const logger = { debug: write, info: write, warn: write, error: write, child: () => logger }
    server.answer = (response) =>
      json(response, 400, { error: { message: 'Bad: Authorization sk-very-secret-1234' } })
    await using opened = await openModel(
      { baseUrl: server.baseUrl, apiKey: 'sk-very-secret-1234' },
      { logger },
    )
    const thrown = await eventsOf(opened.model).catch(String)
    expect(thrown).toMatch(/127\.0\.0\.1:\d+\) refuses the request: Bad: Authorization \*\*\*/)
    expect(JSON.stringify([thrown, lines])).not.toContain('very-secret')
  })

  it('that is wrong makes the model unavailable, in words without it', async () => {
    server.models = (response) => json(response, 401, { error: { message: 'Incorrect API key: sk-ab' } })
    server.answer = server.models
    await using opened = await openModel({ baseUrl: server.baseUrl, apiKey: 'wrong', retries: 0 })
    expect(await opened.model.status()).toMatchObject({
      state: 'unavailable',
      detail: expect.stringContaining('refuses the key (401)') as string,
    })
    await expect(eventsOf(opened.model)).rejects.toThrow(/refuses this server's key/)
  })
})

describe('a server that fails', () => {
  const failures: readonly [name: string, TestServer['answer'], type: unknown, words: RegExp][] = [
    [
      'with 400',
      (response) =>
        json(response, 400, { error: { message: 'temperature must be small', param: 'temperature' } }),
      InvalidRequestError,
      /refuses the request: temperature must be small\./,
    ],
    [
      'with too long a prompt',
      (response) =>
        json(response, 400, {
          object: 'error',
          message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        }),
      ContextLengthError,
      /maximum context length is 4096/,
    ],
    [
      'with 404',
      (response) => json(response, 404, { detail: 'Not Found' }),
      ModelUnavailableError,
      /does not know the address or the model: Not Found\. Check baseUrl/,
    ],
    [
      'with 500 and a page',
      (response) => void response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>no</h1>'),
      ModelUnavailableError,
      /answers with the status 500/,
    ],
    [
      'with 429',
      (response) => json(response, 429, { error: { message: 'Slow down' } }, { 'retry-after': '7' }),
      CapacityError,
      /is busy: Slow down\./,
    ],
    [
      'with a page',
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'),
      ModelUnavailableError,
      /answers with 'text\/html' instead of an event stream/,
    ],
    [
      'with an event that is not JSON',
      (response) => {
        begin(response)
        response.end('data: {"choices"\n\n')
      },
      ModelUnavailableError,
      /sent an event that is not JSON/,
    ],
    [
      'with an event of something else',
      (response) => stream(response, [{ choices: 'none' }]),
      ModelUnavailableError,
      /sent an event that is none of the API/,
    ],
    [
      'with an error event',
      (response) => stream(response, [{ error: { message: 'Out of memory', code: 503 } }]),
      ModelUnavailableError,
      /answers with the status 503: Out of memory\./,
    ],
    [
      'by ending too early',
      (response) => {
        begin(response)
        response.end()
      },
      ModelUnavailableError,
      /ended an answer before it was complete/,
    ],
    [
      'with an event without end',
      (response) => {
        begin(response)
        response.end(`data: ${'x'.repeat(9 * 1024 * 1024)}`)
      },
      ModelUnavailableError,
      /sent an event of more than 8388608 characters/,
    ],
  ]
  it.each(failures)('%s is named', async (_, answer, type, words) => {
    server.answer = answer
    await using opened = await openModel({ baseUrl: server.baseUrl, retries: 0 })
    const thrown = (await eventsOf(opened.model).catch((error: unknown) => error)) as Error
    expect(thrown).toBeInstanceOf(type)
    expect(thrown.message).toMatch(words)
    expect(thrown.message).toContain(`the model 'big' (127.0.0.1:${server.port})`)
  })

  it('and says when to come back is not asked before', async () => {
    server.answer = (response) => json(response, 429, {}, { 'retry-after': '7' })
    await using opened = await openModel({ baseUrl: server.baseUrl, retries: 5 })
    await expect(eventsOf(opened.model)).rejects.toMatchObject({ retryAfterMs: 7000 })
    expect(server.asked).toHaveLength(1)
  })

  it('for good, in this place, is not asked again', async () => {
    server.answer = (response) => json(response, 404, {})
    await using opened = await openModel({ baseUrl: server.baseUrl, retries: 5 })
    await expect(eventsOf(opened.model)).rejects.toThrow(/does not know the address or the model/)
    expect(server.asked).toHaveLength(1)
  })

  it('for a moment is asked again', async () => {
    const answer = server.answer
    server.answer = (response, request) =>
      server.asked.length < 3 ? json(response, 503, {}, { 'retry-after-ms': '1' }) : answer(response, request)
    await using opened = await openModel({ baseUrl: server.baseUrl })
    expect(textOf(await eventsOf(opened.model))).toBe('Hi')
    expect(server.asked).toHaveLength(3)
  })

  it('after its first token is not asked again: the client has seen that token', async () => {
    server.answer = (response) => {
      begin(response)
      send(response, delta({ content: 'Half' }))
      setImmediate(() => response.destroy())
    }
    await using opened = await openModel({ baseUrl: server.baseUrl })
    const seen: string[] = []
    const read = async () => {
      for await (const event of opened.model.answer({ kind: 'chat', fields: question })) seen.push(event.type)
    }
    await expect(read()).rejects.toThrow(GenerationFailedError)
    expect(seen).toEqual(['parts'])
    expect(server.asked).toHaveLength(1)
  })

  it('that does not answer is given up in time, before and after its first token', async () => {
    server.answer = () => {}
    await using hanging = await openModel({ baseUrl: server.baseUrl, retries: 0, firstTokenTimeoutMs: 50 })
    await expect(eventsOf(hanging.model)).rejects.toThrow(/wrote no token for 0\.05 s/)
    expect(server.asked).toHaveLength(1)
    server.answer = (response) => {
      begin(response)
      send(response, delta({ content: 'Half' }))
    }
    await using silent = await openModel({ baseUrl: server.baseUrl, retries: 0, idleTimeoutMs: 50 })
    await expect(eventsOf(silent.model)).rejects.toThrow(/sent nothing for 0\.05 s/)
  })

  it('that sends headers and then reads a long prompt is waited for', async () => {
    server.answer = async (response) => {
      begin(response)
      response.flushHeaders()
      await sleep(150)
      send(response, delta({ content: 'Late' }))
      send(response, end())
      response.end()
    }
    await using opened = await openModel({ baseUrl: server.baseUrl, idleTimeoutMs: 50 })
    expect(textOf(await eventsOf(opened.model))).toBe('Late')
    expect(server.asked).toHaveLength(1)
  })

  it('that is slow, but not silent, is waited for', async () => {
    server.answer = async (response) => {
      begin(response)
      for (const letter of 'slow') {
        send(response, delta({ content: letter }))
        await sleep(40)
      }
      send(response, end())
      response.end()
    }
    await using opened = await openModel({
      baseUrl: server.baseUrl,
      idleTimeoutMs: 2_000,
      firstTokenTimeoutMs: 2_000,
    })
    expect(textOf(await eventsOf(opened.model))).toBe('slow')
  })

  it('and is not there is named with what to do, and found again when it is there', async () => {
    const { port } = server
    await server.close()
    await using opened = await openModel({
      baseUrl: `http://127.0.0.1:${port}/v1`,
      retries: 0,
      healthIntervalMs: 20,
    })
    expect(await opened.model.status()).toMatchObject({
      state: 'unavailable',
      detail: `The server of this model can't be used (127.0.0.1:${port}: nothing listens at that address).`,
    })
    await expect(eventsOf(opened.model)).rejects.toThrow(
      /can't be reached: nothing listens at that address\. Start it/,
    )
    server = new TestServer()
    await server.listen(port)
    await expect.poll(() => opened.model.status()).toMatchObject({ state: 'ready' })
    expect(textOf(await eventsOf(opened.model))).toBe('Hi')
  })
})

describe('a caller that stops', () => {
  it('ends the work of the server at once', async () => {
    let sent = 0
    server.answer = async (response) => {
      begin(response)
      while (!response.destroyed) {
        send(response, delta({ content: 'x' }))
        sent += 1
        await sleep(5)
      }
    }
    await using opened = await openModel({ baseUrl: server.baseUrl })
    for await (const event of opened.model.answer({ kind: 'chat', fields: question }))
      if (event.type === 'parts') break
    await expect.poll(() => server.cut).toBe(1)
    const stopping = new AbortController()
    const reason = new Error('stop')
    const read = async () => {
      for await (const _ of opened.model.answer(
        { kind: 'chat', fields: question },
        { signal: stopping.signal },
      ))
        stopping.abort(reason)
    }
    await expect(read()).rejects.toBe(reason)
    await expect.poll(() => server.cut).toBe(2)
    const atEnd = sent
    await sleep(30)
    expect(sent).toBeLessThanOrEqual(atEnd + 1)
  })

  it('need not wait for the headers, or for a pause between attempts', async () => {
    server.answer = () => {}
    await using opened = await openModel({ baseUrl: server.baseUrl })
    const reason = new Error('stop')
    const stopping = new AbortController()
    const reading = opened.model.answer({ kind: 'chat', fields: question }, { signal: stopping.signal })
    const first = reading[Symbol.asyncIterator]().next()
    await expect.poll(() => server.asked.length).toBe(1)
    stopping.abort(reason)
    await expect(first).rejects.toBe(reason)
    await expect.poll(() => server.cut).toBe(1)
  })
})

describe('the count of tokens', () => {
  it('is that of a server that counts, wherever its route is', async () => {
    server.answer = (response, { path }) =>
      path === '/tokenize'
        ? json(response, 200, { count: 2, max_model_len: 8, tokens: [5, 6] })
        : json(response, 404, {})
    await using opened = await openModel({ baseUrl: server.baseUrl, model: 'org/big', apiKey: 'key' })
    for (let count = 0; count < 2; count++)
      expect(await opened.model.tokenize(question)).toEqual({ count: 2, tokens: [5, 6] })
    expect(server.asked.map(({ path }) => path)).toEqual(['/v1/tokenize', '/tokenize', '/tokenize'])
    expect(server.asked[2]).toMatchObject({ body: { ...question, model: 'org/big' } })
  })

  it.each([400, 401, 429, 500, 503])(
    'is asked for again after one that was refused with %d',
    async (status) => {
      server.answer = (response) => json(response, status, {})
      await using opened = await openModel({ baseUrl: server.baseUrl })
      expect(await opened.model.tokenize({ prompt: 'x'.repeat(40) })).toEqual({ count: 10, tokens: [] })
      server.answer = (response) => json(response, 200, { count: 3 })
      expect(await opened.model.tokenize({ prompt: 'x'.repeat(40) })).toEqual({ count: 3, tokens: [] })
    },
  )

  it('is asked for again after one that a counting server refused', async () => {
    let status = 200
    server.answer = (response) => json(response, status, { count: 2 })
    await using opened = await openModel({ baseUrl: server.baseUrl })
    const counts: number[] = []
    for (status of [200, 400, 200])
      counts.push((await opened.model.tokenize({ prompt: 'x'.repeat(40) })).count)
    expect(counts).toEqual([2, 10, 2])
  })

  it('is estimated for a server that does not, which is not asked again', async () => {
    server.answer = (response) => json(response, 404, {})
    await using opened = await openModel({ baseUrl: server.baseUrl })
    for (let count = 0; count < 2; count++)
      expect(await opened.model.tokenize({ prompt: 'x'.repeat(40) })).toEqual({ count: 10, tokens: [] })
    expect(server.asked).toHaveLength(2)
  })
})
