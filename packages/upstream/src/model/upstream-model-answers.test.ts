import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventsOf, openModel, question, textOf } from '../fixtures/test-model.ts'
import { begin, delta, end, json, send, stream, usage, TestServer } from '../fixtures/test-server.ts'

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
