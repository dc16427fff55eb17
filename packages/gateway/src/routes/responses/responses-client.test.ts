import OpenAI from 'openai'
import { zodTextFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { callsOf } from '../../../../../tests/clients/calls-of.ts'
import { z } from 'zod'
import { createTestApp, type TestApp } from '../openai/fixtures/test-app.ts'

const question = 'What is the capital of France?'
const weather = {
  type: 'function' as const,
  name: 'weather',
  description: 'The weather of a city.',
  strict: true,
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
}
const call = '<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>'

/** Waits as long as a busy machine may need. */
const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000 })

/** The model's answer depends on the question. */
function reply(prompt: string): string {
  if (prompt.includes('sunny')) return 'It is sunny.'
  if (prompt.includes('"weather"')) return `I look. ${call}`
  if (prompt.includes('think')) return '<think>Hm.</think>Paris.'
  if (prompt.includes('My name is Ann')) return prompt.includes('Who am I') ? 'Ann.' : 'Hello, Ann.'
  return 'Paris, the city of light. 🗼'
}

const holds = callsOf('openai-npm-responses', import.meta.url)

describe('the official openai client and the Responses API, over a socket', () => {
  let app: TestApp
  let client: OpenAI

  beforeAll(async () => {
    app = createTestApp({ reply, specs: [{ id: 'org/test', aliases: ['gpt-5'] }, { id: 'other' }] })
    const { url } = await app.gateway.listen()
    client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
  })
  afterAll(() => app[Symbol.asyncDispose]())

  const ask = { model: 'gpt-5', temperature: 0, input: question }

  holds('chat')('answers', async () => {
    const response = await client.responses.create({ ...ask, metadata: { tag: 'a' } })
    expect(response.output_text).toBe('Paris, the city of light. 🗼')
    expect(response).toMatchObject({
      id: expect.stringMatching(/^resp_[0-9a-f]{32}$/) as string,
      object: 'response',
      status: 'completed',
      model: 'org/test',
      metadata: { tag: 'a' },
      error: null,
      incomplete_details: null,
      output: [{ type: 'message', role: 'assistant', status: 'completed' }],
    })
    const { usage } = response
    expect(usage!.input_tokens).toBeGreaterThan(30)
    expect(usage!.total_tokens).toBe(usage!.input_tokens + usage!.output_tokens)
    expect(response._request_id).toMatch(/^[0-9a-f-]{36}$/)
  })

  holds('stream')('streams, and its helper assembles the same response', async () => {
    const stream = client.responses.stream(ask)
    const texts: string[] = []
    stream.on('response.output_text.delta', ({ delta }) => texts.push(delta))
    const final = await stream.finalResponse()
    expect(texts.length).toBeGreaterThan(3)
    expect(texts.join('')).toBe('Paris, the city of light. 🗼')
    expect(final.output_text).toBe('Paris, the city of light. 🗼')
    expect(final.status).toBe('completed')
    const kept = await client.responses.retrieve(final.id)
    expect(kept.output).toMatchObject([{ content: [{ text: final.output_text }] }])
    expect(kept.usage).toEqual(final.usage)
  })

  holds('form')('parses an answer in the form of a schema', async () => {
    const City = z.object({ city: z.string() })
    const response = await client.responses.parse({
      ...ask,
      text: { format: zodTextFormat(City, 'city') },
    })
    expect(response.output_parsed).toEqual({ city: 'text' })
  })

  holds('tools')('goes through a loop with a tool, streamed', async () => {
    const first = await client.responses.stream({ ...ask, tools: [weather] }).finalResponse()
    const [words, use] = first.output
    expect(words).toMatchObject({
      type: 'message',
      content: [{ text: expect.stringContaining('I look.') as string }],
    })
    expect(use).toMatchObject({
      type: 'function_call',
      name: 'weather',
      arguments: '{"city":"Paris"}',
      parsed_arguments: { city: 'Paris' },
      status: 'completed',
    })
    if (use?.type !== 'function_call') throw new Error('no call')
    const result = { type: 'function_call_output' as const, call_id: use.call_id, output: 'sunny' }
    const whole = await client.responses.create({
      ...ask,
      tools: [weather],
      store: false,
      input: [
        { role: 'user', content: question },
        ...(first.output as OpenAI.Responses.ResponseInputItem[]),
        result,
      ],
    })
    expect(whole.output_text).toBe('It is sunny.')
    const continued = await client.responses.create({
      ...ask,
      tools: [weather],
      previous_response_id: first.id,
      input: [result],
    })
    expect(continued.output_text).toBe('It is sunny.')
    const referred = await client.responses.create({
      ...ask,
      tools: [weather],
      input: [{ role: 'user', content: question }, { type: 'item_reference', id: use.id! }, result],
    })
    expect(referred.output_text).toBe('It is sunny.')
  })

  holds('kept')('continues a kept response, lists its input, and deletes it', async () => {
    const first = await client.responses.create({
      ...ask,
      input: 'My name is Ann.',
      instructions: 'Be brief.',
    })
    const second = await client.responses.create({
      ...ask,
      input: 'Who am I?',
      previous_response_id: first.id,
    })
    expect(second.output_text).toBe('Ann.')
    expect(second.previous_response_id).toBe(first.id)
    const items: OpenAI.Responses.ResponseItem[] = []
    for await (const item of client.responses.inputItems.list(second.id, { order: 'asc', limit: 2 }))
      items.push(item)
    expect(items).toMatchObject([
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'My name is Ann.' }] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello, Ann.' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Who am I?' }] },
    ])
    await client.responses.delete(first.id)
    await expect(client.responses.retrieve(first.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
    const third = await client.responses.create({
      ...ask,
      input: 'Who am I?',
      previous_response_id: second.id,
    })
    expect(third.output_text).toBe('Ann.')
    await expect(client.responses.create({ ...ask, previous_response_id: first.id })).rejects.toMatchObject({
      status: 400,
      code: 'previous_response_not_found',
      param: 'previous_response_id',
    })
  })

  it('keeps no response with store: false', async () => {
    const { id } = await client.responses.create({ ...ask, store: false })
    await expect(client.responses.retrieve(id)).rejects.toMatchObject({
      status: 404,
      code: 'response_not_found',
    })
  })

  holds('thoughts')('shows thoughts as an item of their own, and counts them', async () => {
    const { output, usage } = await client.responses.create({ ...ask, input: 'Please think.' })
    expect(output).toMatchObject([
      { type: 'reasoning', content: [{ type: 'reasoning_text', text: 'Hm.' }] },
      { type: 'message', content: [{ text: 'Paris.' }] },
    ])
    expect(usage!.output_tokens_details.reasoning_tokens).toBeGreaterThan(2)
    expect(usage!.output_tokens_details.reasoning_tokens).toBeLessThan(usage!.output_tokens)
  })

  it('says that the length ended an answer', async () => {
    const response = await client.responses.create({ ...ask, max_output_tokens: 5 })
    expect(response).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ status: 'incomplete', content: [{ text: 'Paris' }] }],
    })
  })

  holds('scores')('gives log probabilities to a client that asks for them', async () => {
    const { output } = await client.responses.create({
      ...ask,
      include: ['message.output_text.logprobs'],
      top_logprobs: 2,
    })
    if (output[0]?.type !== 'message' || output[0].content[0]?.type !== 'output_text')
      throw new Error('no text')
    const { logprobs, text } = output[0].content[0]
    expect(logprobs!.map(({ token }) => token).join('')).toContain(text.slice(0, 20))
    expect(logprobs![0]!.top_logprobs).toHaveLength(2)
  })
})

describe('the official openai client and a slow model', () => {
  holds('leaves', 'kept')('cancels a response that is being written', async () => {
    await using app = createTestApp({ stepDelayMs: 5, reply: () => 'x'.repeat(5_000) })
    const { url } = await app.gateway.listen()
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
    const stream = await client.responses.create({
      model: 'test',
      input: 'Hi',
      stream: true,
      max_output_tokens: 2000,
    })
    let id = ''
    const reading = (async () => {
      for await (const event of stream) if (event.type === 'response.created') id = event.response.id
    })()
    const refused = expect(reading).rejects.toMatchObject({ code: 'answer_cancelled' })
    await eventually(() => expect(id).not.toBe(''))
    const cancelled = await client.responses.cancel(id)
    expect(cancelled).toMatchObject({ id, status: 'cancelled', output: [{ status: 'incomplete' }] })
    await refused
    const steps = app.engine.steps
    expect((await client.responses.retrieve(id)).status).toBe('cancelled')
    expect((await client.responses.cancel(id)).status).toBe('cancelled')
    expect(app.engine.steps).toBeLessThanOrEqual(steps + 1)
  })

  holds('kept')('answers in the background, for a client that asks again', async () => {
    await using app = createTestApp({ stepDelayMs: 2, reply: () => 'Paris, the city of light.' })
    const { url } = await app.gateway.listen()
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
    const ask = { model: 'test', input: 'Hi', background: true, temperature: 0 }
    const begun = await client.responses.create(ask)
    expect(begun).toMatchObject({ status: 'in_progress', background: true, output: [] })
    await eventually(async () => {
      const now = await client.responses.retrieve(begun.id)
      expect(now).toMatchObject({ status: 'completed', output_text: 'Paris, the city of light.' })
    })
    await expect(client.responses.create({ ...ask, input: 'x'.repeat(5_000) })).rejects.toMatchObject({
      status: 400,
    })
  })

  it('streams a response in the background to a client that comes back, from the event after its last one', async () => {
    const text = 'Paris, the city of light. '.repeat(4)
    await using app = createTestApp({ stepDelayMs: 2, reply: () => text })
    const { url } = await app.gateway.listen()
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
    const ask = { model: 'test', input: 'Hi', background: true, temperature: 0, max_output_tokens: 500 }
    const first: OpenAI.Responses.ResponseStreamEvent[] = []
    for await (const event of await client.responses.create({ ...ask, stream: true }))
      if (first.push(event) === 9) break
    const { id } = (first[0] as OpenAI.Responses.ResponseCreatedEvent).response
    expect((await client.responses.retrieve(id)).status).toBe('in_progress')
    const eventsAfter = async (after?: number) => {
      const query = { stream: true as const, ...(after !== undefined && { starting_after: after }) }
      const events: OpenAI.Responses.ResponseStreamEvent[] = []
      for await (const event of await client.responses.retrieve(id, query)) events.push(event)
      return events
    }
    const all = [...first, ...(await eventsAfter(first.at(-1)!.sequence_number))]
    expect(all.map((event) => event.sequence_number)).toEqual(all.map((_, place) => place))
    const deltas = all.map((event) => (event.type === 'response.output_text.delta' ? event.delta : ''))
    expect(deltas.join('')).toBe(text)
    expect(all.at(-1)!.type).toBe('response.completed')
    expect(await eventsAfter()).toEqual(all)
    expect(await eventsAfter(all.length - 1)).toEqual([])
  })

  it('refuses the events of a response that keeps none, and numbers that are none', async () => {
    await using app = createTestApp({ reply: () => 'Hi.' })
    const { url } = await app.gateway.listen()
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
    const { id } = await client.responses.create({ model: 'test', input: 'Hi' })
    const read = async (query: string) => {
      const response = await fetch(`${url}/v1/responses/${id}?${query}`)
      return ((await response.json()) as { readonly error: { readonly param: string } }).error.param
    }
    expect(await read('stream=true')).toBe('stream')
    expect(await read('starting_after=1')).toBe('starting_after')
    expect(await read('stream=true&starting_after=x')).toBe('starting_after')
  })

  holds('kept')('cancels and deletes a response in the background, and the model stops', async () => {
    await using app = createTestApp({ stepDelayMs: 5, reply: () => 'x'.repeat(5_000) })
    const { url } = await app.gateway.listen()
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
    const ask = { model: 'test', input: 'Hi', background: true, max_output_tokens: 2000 }
    const first = await client.responses.create(ask)
    const waiting = client.responses.create({ ...ask, previous_response_id: first.id })
    await expect(waiting).rejects.toMatchObject({ status: 400, param: 'previous_response_id' })
    expect((await client.responses.cancel(first.id)).status).toBe('cancelled')
    const second = await client.responses.create(ask)
    await client.responses.delete(second.id)
    const steps = app.engine.steps
    await client.responses.create({ model: 'test', input: 'Hi', max_output_tokens: 1 })
    expect(app.engine.steps).toBeLessThanOrEqual(steps + 10)
  })

  holds('errors')('refuses a response in the background while others take the room to keep it', async () => {
    const config = { responses: { maxKept: 1 } }
    await using app = createTestApp({ stepDelayMs: 5, reply: () => 'x'.repeat(5_000), config })
    const { url } = await app.gateway.listen()
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
    const ask = { model: 'test', input: 'Hi', background: true, max_output_tokens: 2000 }
    const first = await client.responses.create(ask)
    await expect(client.responses.create(ask)).rejects.toMatchObject({
      status: 429,
      code: 'rate_limit_exceeded',
    })
    expect((await client.responses.cancel(first.id)).status).toBe('cancelled')
    const second = await client.responses.create(ask)
    expect((await client.responses.cancel(second.id)).status).toBe('cancelled')
  })

  holds('errors')('keeps why a response in the background failed', async () => {
    await using app = createTestApp({
      beforeStep: () => {
        throw new Error('A secret of the server')
      },
    })
    const { url } = await app.gateway.listen()
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
    const { id } = await client.responses.create({ model: 'test', input: 'Hi', background: true })
    await eventually(async () => {
      const now = await client.responses.retrieve(id)
      expect(now).toMatchObject({ status: 'failed', error: { code: 'server_error' } })
      expect(now.error!.message).not.toContain('secret')
    })
  })

  holds('leaves')(
    'stops the model when the client leaves, and keeps what it had written as cancelled',
    async () => {
      await using app = createTestApp({ stepDelayMs: 5, reply: () => 'x'.repeat(5_000) })
      const { url } = await app.gateway.listen()
      const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
      const stream = await client.responses.create({
        model: 'test',
        input: 'Hi',
        stream: true,
        max_output_tokens: 2000,
      })
      let id = ''
      for await (const event of stream) {
        if (event.type === 'response.created') id = event.response.id
        if (event.type === 'response.output_text.delta') break
      }
      await eventually(async () => expect((await client.responses.retrieve(id)).status).toBe('cancelled'))
      expect(app.engine.steps).toBeLessThan(1000)
    },
  )
})
