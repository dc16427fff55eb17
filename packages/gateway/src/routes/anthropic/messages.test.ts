import type Anthropic from '@anthropic-ai/sdk'
import {
  type AnthropicModel,
  type AnthropicModelList,
  anthropicModelListSchema,
  anthropicErrorSchema,
  anthropicMessageSchema,
  type MessageBody,
  messageEventSchema,
  type MessageEvent,
} from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp, type TestAppOptions } from '../openai/fixtures/test-app.ts'

/** Compiles only if `Own` is assignable to `Official`. */
type Extends<Official, Own extends Official> = Own
type Mutable<Value> = Value extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : Value extends object
    ? { -readonly [Key in keyof Value]: Mutable<Value[Key]> }
    : Value

// The types of the official client's results: no field of them may be missing here. Its own type has no `ping`.
export type Checked = [
  Extends<Anthropic.Message, Mutable<MessageBody>>,
  Extends<Anthropic.ModelInfo, Mutable<AnthropicModel>>,
  Extends<Pick<Anthropic.ModelInfosPage, keyof AnthropicModelList>, Mutable<AnthropicModelList>>,
  Extends<Anthropic.MessageStreamEvent, Mutable<Exclude<MessageEvent, { readonly type: 'ping' }>>>,
]

const path = '/v1/messages'
const messages = [{ role: 'user', content: 'What is the capital of France?' }]
const ask = { model: 'test', max_tokens: 100, temperature: 0, messages }
const call = '<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>'
const tools = [
  { name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } },
]

/** The events of a streamed answer, each checked against its schema and its name. */
async function eventsOf(body: object, options: TestAppOptions = {}): Promise<readonly MessageEvent[]> {
  await using app = createTestApp(options)
  const response = await app.post(path, { ...ask, stream: true, ...body })
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  const frames = (await response.text()).split('\n\n').filter((frame) => frame !== '')
  return frames
    .filter((frame) => !frame.startsWith(':'))
    .map((frame) => {
      const [, name, data] = /^event: (\w+)\ndata: (.+)$/.exec(frame)!
      const event = messageEventSchema.parse(JSON.parse(data!))
      expect(event.type).toBe(name)
      return event
    })
}

async function messageOf(body: object, options: TestAppOptions = {}): Promise<MessageBody> {
  await using app = createTestApp(options)
  const response = await app.post(path, { ...ask, ...body })
  const json: unknown = await response.json()
  expect(response.status, JSON.stringify(json)).toBe(200)
  return anthropicMessageSchema.parse(json)
}

/** The prompt that the model reads. */
async function promptOf(body: object): Promise<string> {
  let seen = ''
  await messageOf(body, { reply: (prompt) => ((seen = prompt), 'ok') })
  return seen
}

async function refusal(body: object, options: TestAppOptions = {}) {
  await using app = createTestApp(options)
  const response = await app.post(path, { ...ask, ...body })
  const { error } = anthropicErrorSchema.parse(await response.json())
  return { status: response.status, ...error }
}

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

describe('the prompt of a message', () => {
  it('has the system prompt, and the blocks of a turn in lines of their own', async () => {
    const prompt = await promptOf({
      system: [
        { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } },
        { type: 'text', text: 'Be kind.' },
      ],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'A note' },
            {
              type: 'document',
              title: 'Letter',
              source: { type: 'text', media_type: 'text/plain', data: 'Dear Ann' },
            },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Secret', signature: 's' },
            { type: 'text', text: 'Yes.' },
          ],
        },
        { role: 'user', content: 'Go on.' },
      ],
    })
    expect(prompt).toContain('Be brief.\nBe kind.')
    expect(prompt).toContain('A note\nLetter\nDear Ann')
    expect(prompt).toContain('Yes.')
    expect(prompt).not.toContain('Secret')
  })

  it('has the results of tools before the words that came with them, and says which failed', async () => {
    const prompt = await promptOf({
      tools,
      messages: [
        ...messages,
        {
          role: 'assistant',
          content: [
            { type: 'tool_use', id: 'a', name: 'weather', input: { city: 'Paris' } },
            { type: 'tool_use', id: 'b', name: 'weather', input: { city: 'Rome' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'rain' }] },
            { type: 'tool_result', tool_use_id: 'b', content: 'no such city', is_error: true },
            { type: 'text', text: 'And now?' },
          ],
        },
      ],
    })
    const places = ['"city":"Paris"', 'rain', 'Error: no such city', 'And now?'].map((text) =>
      prompt.replaceAll('": "', '":"').indexOf(text),
    )
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places[0]).toBeGreaterThan(0)
  })

  it('continues an answer at its end', async () => {
    const begun = [...messages, { role: 'assistant', content: 'The capital is' }]
    const message = await messageOf({ messages: begun }, { reply: () => 'The capital is Paris.' })
    expect(message.content).toEqual([{ type: 'text', text: ' Paris.', citations: null }])
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

describe('a refused message', () => {
  it.each([
    [{ n: 2 }, "'n'"],
    [{ stop: 'x' }, 'stop_sequences'],
    [{ wrong: 1 }, "'wrong'"],
    [{ messages: [] }, "'messages'"],
    [{ messages: [{ role: 'robot', content: 'Hi' }] }, "'messages[0].role'"],
    [{ tool_choice: { type: 'any' } }, "'tools'"],
    [{ mcp_servers: [{ url: 'http://127.0.0.1' }] }, "'mcp_servers"],
    [{ tools: [{ name: 'a b', input_schema: {} }] }, 'Tool names'],
    [{ tools: [...tools, ...tools] }, "'tools[1].name'"],
  ])('names the field of %j', async (body, words) => {
    const { status, type, message } = await refusal(body)
    expect({ status, type }).toEqual({ status: 400, type: 'invalid_request_error' })
    expect(message).toContain(words)
  })

  it('has the status and the type of its kind', async () => {
    expect(await refusal({ model: 'nothing' }, { specs: [{}, { id: 'two' }] })).toMatchObject({
      status: 404,
      type: 'not_found_error',
    })
    await using app = createTestApp()
    const wrongMethod = await app.get(path)
    expect(wrongMethod.status).toBe(405)
    expect(anthropicErrorSchema.parse(await wrongMethod.json()).error.type).toBe('invalid_request_error')
    const headers = { 'content-length': String(2 ** 40) }
    const long = await app.post(path, ask, { headers })
    expect(long.status).toBe(413)
    expect(anthropicErrorSchema.parse(await long.json()).error.type).toBe('request_too_large')
  })
})
