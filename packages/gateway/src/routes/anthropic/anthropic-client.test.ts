import Anthropic from '@anthropic-ai/sdk'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { callsOf } from '../../../../../tests/clients/calls-of.ts'
import { createTestApp, type TestApp } from '../openai/fixtures/test-app.ts'

const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }]
const weather = {
  name: 'weather',
  description: 'The weather of a city.',
  input_schema: {
    type: 'object' as const,
    properties: { city: { type: 'string' } },
    required: ['city'],
  },
}
const call = '<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>'

/** The model's answer depends on the question. */
function reply(prompt: string): string {
  if (prompt.includes('sunny')) return 'It is sunny.'
  if (prompt.includes('"weather"')) return `I look. ${call}`
  if (prompt.includes('think')) return '<think>Hm.</think>Paris.'
  return 'Paris, the city of light. 🗼'
}

const holds = callsOf('anthropic-npm', import.meta.url)

describe('the official Anthropic client, over a socket', () => {
  let app: TestApp
  let client: Anthropic

  beforeAll(async () => {
    app = createTestApp({ reply, specs: [{ id: 'org/test', aliases: ['claude-sonnet'] }, { id: 'other' }] })
    const { url } = await app.gateway.listen()
    client = new Anthropic({ baseURL: url, apiKey: 'any', maxRetries: 0 })
  })
  afterAll(() => app[Symbol.asyncDispose]())

  const ask = { model: 'claude-sonnet', max_tokens: 100, temperature: 0, messages }

  holds('chat')('answers', async () => {
    const message = await client.messages.create(ask)
    expect(message).toMatchObject({
      id: expect.stringMatching(/^msg_[0-9a-f]{32}$/) as string,
      type: 'message',
      role: 'assistant',
      model: 'org/test',
      content: [{ type: 'text', text: 'Paris, the city of light. 🗼' }],
      stop_reason: 'end_turn',
      stop_sequence: null,
    })
    expect(message.usage.input_tokens + message.usage.cache_read_input_tokens!).toBeGreaterThan(30)
    expect(message.usage.output_tokens).toBeGreaterThan(20)
    expect(message._request_id).toMatch(/^[0-9a-f-]{36}$/)
  })

  holds('stream')('streams, and its helper assembles the same message', async () => {
    const stream = client.messages.stream(ask)
    const texts: string[] = []
    stream.on('text', (text) => texts.push(text))
    const message = await stream.finalMessage()
    expect(texts.length).toBeGreaterThan(3)
    expect(texts.join('')).toBe('Paris, the city of light. 🗼')
    const whole = await client.messages.create(ask)
    expect(message.content).toEqual(whole.content)
    expect(message.stop_reason).toBe('end_turn')
    expect(message.usage.output_tokens).toBe(whole.usage.output_tokens)
    expect(stream.request_id).toMatch(/^[0-9a-f-]{36}$/)
  })

  holds('tokens')('counts the tokens that a message then has', async () => {
    const { model, ...rest } = { model: ask.model, messages, system: 'Be brief.', tools: [weather] }
    const { input_tokens: tokens } = await client.messages.countTokens({ model, ...rest })
    const { usage } = await client.messages.create({ ...ask, ...rest })
    expect(usage.input_tokens + usage.cache_read_input_tokens!).toBe(tokens)
  })

  holds('tools')('goes through a loop with a tool, streamed', async () => {
    const first = await client.messages.stream({ ...ask, tools: [weather] }).finalMessage()
    expect(first.stop_reason).toBe('tool_use')
    const [words, use] = first.content
    expect(words).toMatchObject({ type: 'text', text: expect.stringContaining('I look.') as string })
    expect(use).toMatchObject({ type: 'tool_use', name: 'weather', input: { city: 'Paris' } })
    if (use?.type !== 'tool_use') throw new Error('no call')
    const last = await client.messages.create({
      ...ask,
      tools: [weather],
      messages: [
        ...messages,
        { role: 'assistant', content: first.content },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: 'sunny' }] },
      ],
    })
    expect(last.content).toEqual([{ type: 'text', text: 'It is sunny.', citations: null }])
  })

  holds('tools')('lets a runner of tools go on without a thread, which the server can’t keep', async () => {
    const runner = client.beta.messages.toolRunner({
      ...ask,
      messages: [{ role: 'user', content: 'How is it outside?' }],
      tools: [{ ...weather, run: () => 'It is sunny.', parse: (input: unknown) => input }],
    })
    const message = await runner.runUntilDone()
    expect(message.content).toMatchObject([{ type: 'text', text: 'It is sunny.' }])
  })

  holds('thoughts')(
    'shows thoughts to a client that asks for them, and leaves them out otherwise',
    async () => {
      const question = [{ role: 'user' as const, content: 'Please think.' }]
      const thinking = { type: 'enabled' as const, budget_tokens: 1024 }
      const asked = await client.messages
        .stream({ ...ask, messages: question, max_tokens: 2000, thinking })
        .finalMessage()
      expect(asked.content).toEqual([
        { type: 'thinking', thinking: 'Hm.', signature: '' },
        { type: 'text', text: 'Paris.', citations: null },
      ])
      const plain = await client.messages.create({ ...ask, messages: question })
      expect(plain.content).toEqual([{ type: 'text', text: 'Paris.', citations: null }])
      const hidden = { type: 'adaptive' as const, display: 'omitted' as const }
      const omitted = await client.messages.create({ ...ask, messages: question, thinking: hidden })
      expect(omitted.content).toEqual(plain.content)
    },
  )

  holds('chat')('names what ended the answer', async () => {
    const stopped = await client.messages.create({ ...ask, stop_sequences: ['of', 'never'] })
    expect(stopped).toMatchObject({
      stop_reason: 'stop_sequence',
      stop_sequence: 'of',
      content: [{ text: 'Paris, the city ' }],
    })
    const cut = await client.messages.create({ ...ask, max_tokens: 5 })
    expect(cut).toMatchObject({ stop_reason: 'max_tokens', content: [{ text: 'Paris' }] })
  })

  holds('models')('lists and describes the models, page by page', async () => {
    const all = await Array.fromAsync(client.models.list({ limit: 1 }))
    expect(all.map(({ id }) => id)).toEqual(['org/test', 'other'])
    expect(all[0]).toMatchObject({ type: 'model', display_name: 'org/test', lifecycle: 'active' })
    const before = await client.models.list({ before_id: 'other' })
    expect(before).toMatchObject({ has_more: false, first_id: 'org/test', last_id: 'org/test' })
    expect((await client.models.retrieve('claude-sonnet')).id).toBe('org/test')
    await client.messages.create(ask)
    expect((await client.models.retrieve('org/test')).max_input_tokens).toBe(2048)
    await expect(client.models.retrieve('nothing')).rejects.toBeInstanceOf(Anthropic.NotFoundError)
    await expect(client.models.list({ limit: 0 })).rejects.toThrow("'limit'")
    await expect(client.models.list({ after_id: 'nothing' })).rejects.toThrow("'after_id'")
  })

  holds('errors')('throws the errors of the client’s own classes', async () => {
    const failed = async (body: object): Promise<InstanceType<typeof Anthropic.APIError>> =>
      client.messages.create({ ...ask, ...body }).then(
        () => expect.fail('The request was not refused.'),
        (error: unknown) => error as InstanceType<typeof Anthropic.APIError>,
      )
    const wrong = await failed({ temperature: 'hot' })
    expect(wrong).toBeInstanceOf(Anthropic.BadRequestError)
    expect(wrong).toMatchObject({
      type: 'invalid_request_error',
      requestID: wrong.headers!.get('request-id'),
    })
    expect(wrong.message).toContain("'temperature'")
    expect(await failed({ model: 'nothing' })).toBeInstanceOf(Anthropic.NotFoundError)
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: '' } }
    expect((await failed({ messages: [{ role: 'user', content: [image] }] })).message).toContain('only text')
    expect(
      (await failed({ tools: [{ type: 'web_search_20250305', name: 'web_search' }] })).message,
    ).toContain('web_search_20250305')
    expect((await failed({ max_tokens: undefined })).message).toContain("'max_tokens'")
  })
})
