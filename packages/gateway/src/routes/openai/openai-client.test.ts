import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import { callsOf } from '../../../../../tests/clients/calls-of.ts'
import { otherSteps } from './fixtures/answers.ts'
import { createTestApp, type TestApp } from './fixtures/test-app.ts'

const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }]
const weather = {
  type: 'function' as const,
  function: {
    name: 'weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}

/** The model's answer depends on the question. */
function reply(prompt: string): string {
  if (prompt.includes('sunny')) return 'It is sunny.'
  if (prompt.includes('"weather"'))
    return '<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>'
  if (prompt.includes('think')) return '<think>Hm.</think>Paris.'
  return 'Paris, the city of light. 🗼'
}

const holds = callsOf('openai-npm', import.meta.url)

describe('the official openai client, over a socket', () => {
  let app: TestApp
  let client: OpenAI

  beforeAll(async () => {
    app = createTestApp({ reply, specs: [{ id: 'org/test', aliases: ['gpt-4o-mini'] }, { id: 'other' }] })
    const { url } = await app.gateway.listen()
    client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
  })
  afterAll(() => app[Symbol.asyncDispose]())

  holds('models')('lists and retrieves models', async () => {
    const ids: string[] = []
    for await (const model of client.models.list()) ids.push(model.id)
    expect(ids).toEqual(['org/test', 'other'])
    expect((await client.models.retrieve('org/test')).id).toBe('org/test')
  })

  holds('chat')('chats', async () => {
    const answer = await client.chat.completions.create({ model: 'gpt-4o-mini', messages, temperature: 0 })
    expect(answer.choices[0]!.message.content).toBe('Paris, the city of light. 🗼')
    expect(answer.usage!.total_tokens).toBe(65)
    expect(answer._request_id).toMatch(/^[0-9a-f-]{36}$/)
  })

  holds('stream')('streams a chat', async () => {
    const stream = await client.chat.completions.create({
      model: 'org/test',
      messages,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    })
    let text = ''
    let usage
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    expect(text).toBe('Paris, the city of light. 🗼')
    expect(usage).toMatchObject({ completion_tokens: 31 })
  })

  holds('stream')('assembles streamed pieces with its own helper', async () => {
    const final = await client.chat.completions
      .stream({ model: 'org/test', messages, temperature: 0, logprobs: true, top_logprobs: 2 })
      .finalChatCompletion()
    expect(final.choices[0]!.message.content).toBe('Paris, the city of light. 🗼')
    expect(final.choices[0]!.finish_reason).toBe('stop')
    expect(final.choices[0]!.logprobs!.content).toHaveLength(30)
  })

  holds('tools')('runs tools until the final answer', async () => {
    const called: unknown[] = []
    const runner = client.chat.completions.runTools({
      model: 'org/test',
      messages,
      temperature: 0,
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'Weather of a city',
            parameters: weather.function.parameters,
            parse: JSON.parse,
            function: (args: object) => {
              called.push(args)
              return 'sunny'
            },
          },
        },
      ],
    })
    expect(await runner.finalContent()).toBe('It is sunny.')
    expect(called).toEqual([{ city: 'Paris' }])
  })

  holds('tools')('streams tool calls', async () => {
    const final = await client.chat.completions
      .stream({ model: 'org/test', messages, temperature: 0, tools: [weather] })
      .finalChatCompletion()
    expect(final.choices[0]!.finish_reason).toBe('tool_calls')
    expect(final.choices[0]!.message.tool_calls).toMatchObject([
      { type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } },
    ])
  })

  holds('form')('forces a tool, and JSON by a schema', async () => {
    const forced = await client.chat.completions.create({
      model: 'org/test',
      messages,
      tools: [weather],
      tool_choice: 'required',
    })
    expect(forced.choices[0]!.message.tool_calls).toHaveLength(1)
    const parsed = await client.chat.completions.parse({
      model: 'org/test',
      messages,
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'weather', strict: true, schema: weather.function.parameters },
      },
    })
    expect(JSON.parse(parsed.choices[0]!.message.content!)).toEqual({ city: 'text' })
  })

  holds('thoughts')('receives thoughts separately', async () => {
    const answer = await client.chat.completions.create({
      model: 'org/test',
      messages: [{ role: 'user', content: 'think' }],
      temperature: 0,
    })
    expect(answer.choices[0]!.message).toMatchObject({ content: 'Paris.', reasoning_content: 'Hm.' })
  })

  holds('text')('completes texts, streamed or not', async () => {
    const body = { model: 'org/test', prompt: 'Once', temperature: 0, max_tokens: 5 }
    const whole = await client.completions.create(body)
    expect(whole.choices[0]!.text).toHaveLength(5)
    let text = ''
    for await (const chunk of await client.completions.create({ ...body, stream: true })) {
      text += chunk.choices[0]?.text ?? ''
    }
    expect(text).toBe(whole.choices[0]!.text)
  })

  holds('embeddings')('embeds, which it requests as base64', async () => {
    const { data } = await client.embeddings.create({ model: 'org/test', input: ['one', 'two'] })
    expect(data.map(({ embedding }) => embedding.length)).toEqual([32, 32])
    expect(Math.hypot(...data[0]!.embedding)).toBeCloseTo(1, 5)
  })

  holds('errors')('throws its own error class for each status', async () => {
    const unknownModel = client.chat.completions.create({ model: 'unknown', messages })
    await expect(unknownModel).rejects.toBeInstanceOf(OpenAI.NotFoundError)
    const wrong = client.chat.completions.create({ model: 'org/test', messages, temperature: 999 })
    await expect(wrong).rejects.toBeInstanceOf(OpenAI.BadRequestError)
    await expect(wrong).rejects.toMatchObject({
      param: 'temperature',
      code: 'decimal_above_max_value',
      type: 'invalid_request_error',
      requestID: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })
})

describe('the official openai client, with a slow engine', () => {
  async function slowApp() {
    const app = createTestApp({ stepDelayMs: 5 })
    const { url } = await app.gateway.listen()
    return { app, client: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 }) }
  }

  async function expectStopped(app: TestApp) {
    expect(await otherSteps(app)).toBe(0)
    expect(app.engine.steps).toBeLessThan(1000)
  }

  holds('leaves')('stops the engine when it leaves a stream', async () => {
    const { app, client } = await slowApp()
    await using _app = app
    const stream = await client.chat.completions.create({
      model: 'test',
      messages,
      stream: true,
      max_tokens: 1000,
    })
    let count = 0
    for await (const _chunk of stream) if (++count === 5) break
    await expectStopped(app)
  })

  holds('leaves').each([true, false])('stops the engine when it aborts (stream: %s)', async (stream) => {
    const { app, client } = await slowApp()
    await using _app = app
    const abort = new AbortController()
    const pending = client.chat.completions.create(
      { model: 'test', messages, max_tokens: 1000, stream },
      { signal: abort.signal },
    )
    pending.catch(() => {})
    await vi.waitFor(() => expect(app.engine.steps).toBeGreaterThan(3))
    abort.abort()
    await expectStopped(app)
    if (!stream) await expect(pending).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
  })
})

describe('the official openai client, with an engine that fails', () => {
  holds('errors')(
    'reports a failure in the middle of a stream as an error, not as a short answer',
    async () => {
      await using app = createTestApp({
        reply,
        beforeStep: ({ step }) => {
          if (step === 4) throw new Error('cut')
        },
      })
      const { url } = await app.gateway.listen()
      const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
      const stream = await client.chat.completions.create({
        model: 'test',
        messages,
        temperature: 0,
        stream: true,
      })
      let text = ''
      const reading = (async () => {
        for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
      })()
      await expect(reading).rejects.toBeInstanceOf(OpenAI.APIError)
      expect(text).toBe('Pari')
    },
  )
})
