import type Anthropic from '@anthropic-ai/sdk'
import {
  type AnthropicModel,
  type AnthropicModelList,
  anthropicModelListSchema,
  anthropicErrorSchema,
  type MessageBody,
  type MessageEvent,
} from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp } from '../openai/fixtures/test-app.ts'
import type { Extends, Mutable } from '../openai/fixtures/dialect.ts'
import { ask, call, eventsOf, messageOf, path, tools } from './fixtures/messages.ts'

// The types of the official client's results: no field of them may be missing here. Its own type has no `ping`.
export type Checked = [
  Extends<Anthropic.Message, Mutable<MessageBody>>,
  Extends<Anthropic.ModelInfo, Mutable<AnthropicModel>>,
  Extends<Pick<Anthropic.ModelInfosPage, keyof AnthropicModelList>, Mutable<AnthropicModelList>>,
  Extends<Anthropic.MessageStreamEvent, Mutable<Exclude<MessageEvent, { readonly type: 'ping' }>>>,
]

describe('a streamed message', () => {
  it('has a begin, its blocks one after the other, and an end', async () => {
    const reply = () => `<think>Hm.</think>I look. ${call}`
    const events = await eventsOf({ tools, max_tokens: 200, thinking: { type: 'adaptive' } }, { reply })
    const named = events.map((event) => ('index' in event ? `${event.type} ${event.index}` : event.type))
    expect(named.filter((name, place) => name !== named[place - 1])).toEqual([
      'message_start',
      ...[0, 1, 2].flatMap((index) => [
        `content_block_start ${index}`,
        `content_block_delta ${index}`,
        `content_block_stop ${index}`,
      ]),
      'message_delta',
      'message_stop',
    ])
    const starts = events.flatMap((event) =>
      event.type === 'content_block_start' ? [event.content_block] : [],
    )
    expect(starts.map(({ type }) => type)).toEqual(['thinking', 'text', 'tool_use'])
    expect(events.at(-2)).toMatchObject({ delta: { stop_reason: 'tool_use' } })
  })

  it('counts the prompt at its begin, and what it cost at its end', async () => {
    const events = await eventsOf({}, { reply: () => 'Paris.' })
    const [begin] = events
    if (begin?.type !== 'message_start') throw new Error('no begin')
    expect(begin.message.content).toEqual([])
    expect(begin.message.usage.input_tokens).toBeGreaterThan(30)
    expect(events.at(-2)).toMatchObject({
      type: 'message_delta',
      usage: { input_tokens: begin.message.usage.input_tokens, cache_read_input_tokens: 0, output_tokens: 7 },
    })
  })

  it('pings in silence, and ends with the event error when the model fails', async () => {
    const paused = Promise.withResolvers<void>()
    let steps = 0
    await using app = createTestApp({
      reply: () => 'Paris, the city',
      config: { ssePingIntervalMs: 20 },
      async beforeStep() {
        steps += 1
        if (steps === 3) await paused.promise
        if (steps === 5) throw new Error('A secret of the server')
      },
    })
    const response = await app.post(path, { ...ask, stream: true })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('event: ping')) text += (await reader.read()).value
    paused.resolve()
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value
    const last = text.trimEnd().split('\n\n').at(-1)!
    expect(last).toMatch(/^event: error\n/)
    const error = anthropicErrorSchema.parse(JSON.parse(last.split('\ndata: ')[1]!))
    expect(error.error.type).toBe('api_error')
    expect(error.request_id).toBe(response.headers.get('request-id'))
    expect(text).not.toContain('secret')
    expect(text).not.toContain('message_stop')
  })
})

describe('a message', () => {
  it('keeps what a cut call has not, and says that the length ended it', async () => {
    const message = await messageOf(
      { tools, tool_choice: { type: 'any' }, max_tokens: 46 },
      { grammarReply: () => '{"name": "weather", "arguments": {"city": "Paris"}}' },
    )
    expect(message).toMatchObject({ stop_reason: 'max_tokens', content: [{ type: 'tool_use', input: {} }] })
  })

  it('says that the context is full, which is not the length that was asked for', async () => {
    const message = await messageOf(
      { max_tokens: 100_000 },
      { contextLength: 200, reply: () => 'x'.repeat(500) },
    )
    expect(message.stop_reason).toBe('model_context_window_exceeded')
  })
})

describe('the models', () => {
  it('have Anthropic’s form only for its clients, errors too', async () => {
    await using app = createTestApp()
    const headers = { 'anthropic-version': '2023-06-01' }
    const list = anthropicModelListSchema
      .strict()
      .parse(await (await app.get('/v1/models', { headers })).json())
    expect(list.data.map(({ id }) => id)).toEqual(['test'])
    const unknown = await app.get('/v1/models/nothing', { headers })
    expect(anthropicErrorSchema.parse(await unknown.json()).error.type).toBe('not_found_error')
    expect(unknown.headers.get('request-id')).toBe(unknown.headers.get('x-request-id'))
    expect(await (await app.get('/v1/models')).json()).toMatchObject({ object: 'list' })
  })
})
