import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { callsOf } from '../clients/calls-of.ts'
import { z } from 'zod'
import { sessionsInUse } from './support/metrics.ts'
import { withDefaultModel, startPetalsChat, type PetalsChat } from './support/petals-chat.ts'

const model = 'SmolLM2-135M-Instruct'
const messages = [{ role: 'user', content: 'What is the capital of France?' }] as const

let server: PetalsChat
let client: OpenAI

beforeAll(async () => {
  server = await startPetalsChat({ env: await withDefaultModel() })
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused', maxRetries: 0 })
})
afterAll(() => server[Symbol.asyncDispose]())

describe('the official npm client', () => {
  const holds = callsOf('openai-npm', import.meta.url)

  holds('models')('lists and describes models', async () => {
    const models = await client.models.list()
    expect(models.data.map(({ id }) => id)).toEqual([model])
    expect(await client.models.retrieve(model)).toMatchObject({ id: model, object: 'model' })
  })

  holds('chat', 'stream')('gets usage, also at the end of a stream', async () => {
    const whole = await client.chat.completions.create({ model, messages: [...messages], temperature: 0 })
    const stream = await client.chat.completions.create({
      model,
      messages: [...messages],
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    })
    let usage
    for await (const chunk of stream) usage = chunk.usage ?? usage
    expect(usage).toMatchObject({
      prompt_tokens: whole.usage!.prompt_tokens,
      completion_tokens: whole.usage!.completion_tokens,
    })
    // The second request's prompt was in the KV cache already.
    expect(usage!.prompt_tokens_details!.cached_tokens).toBeGreaterThan(0)
  })

  holds('chat')('repeats itself with a seed', async () => {
    const ask = async (seed: number): Promise<string> => {
      const answer = await client.chat.completions.create({
        model,
        messages: [...messages],
        temperature: 1,
        seed,
        max_tokens: 24,
      })
      return answer.choices[0]!.message.content!
    }
    const [first, second, other] = [await ask(7), await ask(7), await ask(8)]
    expect(second).toBe(first)
    expect(other).not.toBe(first)
  })

  holds('scores')('gives several choices, logprobs, and stops at a sequence', async () => {
    const answer = await client.chat.completions.create({
      model,
      messages: [...messages],
      temperature: 0,
      n: 2,
      logprobs: true,
      top_logprobs: 3,
      stop: [' is'],
    })
    expect(answer.choices).toHaveLength(2)
    for (const choice of answer.choices) {
      expect(choice.message.content).not.toContain(' is')
      expect(choice.finish_reason).toBe('stop')
      for (const entry of choice.logprobs!.content!) {
        expect(entry.top_logprobs).toHaveLength(3)
        expect(entry.logprob).toBeLessThanOrEqual(0)
        expect(entry.top_logprobs[0]!.token).toBe(entry.token)
      }
    }
  })

  holds('scores')('scores a prompt with echo and max_tokens 0, as evaluation harnesses do', async () => {
    const answer = await client.completions.create({
      model,
      prompt: 'The capital of France is Paris',
      echo: true,
      max_tokens: 0,
      logprobs: 1,
    })
    const { tokens, token_logprobs: logprobs } = answer.choices[0]!.logprobs!
    expect(tokens!.join('')).toBe('The capital of France is Paris')
    expect(logprobs![0]).toBeNull()
    expect(logprobs!.slice(1).every((value) => typeof value === 'number' && value <= 0)).toBe(true)
  })

  holds('form')('gets an answer in the form of a JSON schema', async () => {
    const answer = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Name a city and its country as JSON.' }],
      temperature: 0,
      max_tokens: 200,
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'city',
          schema: {
            type: 'object',
            properties: {
              city: { type: 'string', maxLength: 30 },
              country: { type: 'string', maxLength: 30 },
            },
            required: ['city', 'country'],
            additionalProperties: false,
          },
        },
      },
    })
    const value = JSON.parse(answer.choices[0]!.message.content!) as Record<string, unknown>
    expect(Object.keys(value).sort()).toEqual(['city', 'country'])
  })

  holds('tools')('calls the tool that it must call', async () => {
    const answer = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
      temperature: 0,
      max_tokens: 200,
      tools: [
        {
          type: 'function',
          function: {
            name: 'get_weather',
            description: 'Weather of a city',
            parameters: {
              type: 'object',
              properties: { city: { type: 'string', maxLength: 30 } },
              required: ['city'],
              additionalProperties: false,
            },
          },
        },
      ],
      tool_choice: 'required',
    })
    const [call] = answer.choices[0]!.message.tool_calls!
    expect(answer.choices[0]!.finish_reason).toBe('tool_calls')
    expect(call).toMatchObject({ type: 'function', function: { name: 'get_weather' } })
    if (call!.type === 'function') expect(JSON.parse(call!.function.arguments)).toHaveProperty('city')
  })

  holds('form')(
    'gets answers that fit schemas as Zod writes them: wide integers, records, recursion, formats',
    async () => {
      const leaf = z.object({ kind: z.literal('leaf'), count: z.int() })
      const node = z.object({
        kind: z.literal('node'),
        get left() {
          return tree
        },
      })
      const tree: z.ZodType = z.lazy(() => z.discriminatedUnion('kind', [leaf, node]))
      const plan = z.object({
        mail: z.email(),
        share: z.number().min(0).max(0.5),
        tags: z.record(z.enum(['a', 'b']), z.boolean()),
        tree,
      })
      const answer = await client.chat.completions.create({
        model,
        messages: [{ role: 'user', content: 'Invent a plan as JSON.' }],
        temperature: 0,
        max_tokens: 400,
        response_format: {
          type: 'json_schema',
          json_schema: {
            name: 'plan',
            strict: true,
            schema: z.toJSONSchema(plan) as Record<string, unknown>,
          },
        },
      })
      const [choice] = answer.choices
      if (choice!.finish_reason === 'stop') plan.parse(JSON.parse(choice!.message.content!))
      expect(choice!.message.content).toMatch(/^\{\s*"mail":\s*"/)
    },
  )

  holds('tools', 'form')(
    'calls a function without parameters with none, or answers in the form that it was given',
    async () => {
      const tools = [
        { type: 'function' as const, function: { name: 'get_time', description: 'The time now' } },
      ]
      const forced = await client.chat.completions.create({
        model,
        messages: [{ role: 'user', content: 'What time is it?' }],
        tools,
        tool_choice: 'required',
        temperature: 0,
      })
      const [call] = forced.choices[0]!.message.tool_calls!
      expect(call).toMatchObject({ function: { name: 'get_time', arguments: '{}' } })
      const free = await client.chat.completions.create({
        model,
        messages: [{ role: 'user', content: 'Name a city as JSON.' }],
        max_tokens: 100,
        temperature: 0,
        tools,
        response_format: {
          type: 'json_schema',
          json_schema: {
            name: 'city',
            schema: {
              type: 'object',
              properties: { city: { type: 'string', maxLength: 20 } },
              required: ['city'],
            },
          },
        },
      })
      const { content, tool_calls: calls } = free.choices[0]!.message
      if (calls) expect(calls[0]).toMatchObject({ function: { name: 'get_time', arguments: '{}' } })
      else expect(Object.keys(JSON.parse(content!) as object)).toEqual(['city'])
    },
  )

  holds('errors')(
    'is refused at its place where a schema would keep the model busy for minutes, and the model goes on',
    async () => {
      const pattern = '^(a?){500}a{500}$'
      const parameters = { type: 'object', properties: { a: { type: 'string', pattern } }, required: ['a'] }
      const forced = {
        model,
        messages: [...messages],
        tools: [{ type: 'function' as const, function: { name: 'go', strict: true, parameters } }],
        tool_choice: 'required' as const,
      }
      await expect(client.chat.completions.create(forced)).rejects.toMatchObject({
        status: 400,
        param: 'tools[0].function.parameters',
        message: expect.stringContaining('$.properties.a.pattern') as string,
      })
      const grammar = 'root ::= ("a"?){500} "a"{500}'
      await expect(
        client.chat.completions.create({ model, messages: [...messages], grammar } as never),
      ).rejects.toMatchObject({ status: 400, param: 'grammar' })
      const answer = await client.chat.completions.create({
        model,
        messages: [...messages],
        max_tokens: 5,
        temperature: 0,
      })
      expect(answer.choices[0]!.message.content).not.toBe('')
    },
  )

  holds('embeddings')('gets normalised embeddings in which likeness shows', async () => {
    const answer = await client.embeddings.create({
      model,
      input: [
        'A cat sleeps on the sofa.',
        'A kitten naps on the couch.',
        'Interest rates rose by a quarter point.',
      ],
    })
    const [cat, kitten, rates] = answer.data.map(({ embedding }) => embedding)
    const product = (a: number[], b: number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
    expect(product(cat!, cat!)).toBeCloseTo(1, 3)
    expect(product(cat!, kitten!)).toBeGreaterThan(product(cat!, rates!))
  })

  holds('errors')('throws its own error classes, with the parameter at fault', async () => {
    await expect(client.models.retrieve('gpt-17')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      requestID: expect.any(String) as string,
    })
    await expect(
      client.chat.completions.create({ model, messages: [...messages], temperature: -1 }),
    ).rejects.toMatchObject({ status: 400, param: 'temperature' })
    await expect(client.completions.create({ model, prompt: 'a', suffix: 'b' })).rejects.toMatchObject({
      status: 400,
      param: 'suffix',
    })
    await expect(
      client.chat.completions.create({
        model,
        messages: [{ role: 'user', content: 'long '.repeat(20_000) }],
      }),
    ).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' })
  })

  holds('leaves')('stops the engine when it goes away in mid-answer', async () => {
    const controller = new AbortController()
    const stream = await client.chat.completions.create(
      {
        model,
        messages: [{ role: 'user', content: 'Count from one to one thousand.' }],
        max_tokens: 1500,
        stream: true,
      },
      { signal: controller.signal },
    )
    let seen = 0
    for await (const _chunk of stream) if (++seen === 5) break
    controller.abort()
    await expect.poll(() => sessionsInUse(server.url), { timeout: 5000 }).toBe(0)
  })
})

describe('the official npm client of Anthropic', () => {
  const holdsAnthropic = callsOf('anthropic-npm', import.meta.url)
  const tool = {
    name: 'set_colour',
    input_schema: {
      type: 'object' as const,
      properties: { colour: { enum: ['red', 'green', 'blue'] } },
      required: ['colour'],
    },
  }

  holdsAnthropic(
    'stream',
    'tokens',
    'leaves',
  )('gets the answer of the other API, counted, streamed and stopped', async () => {
    const anthropic = new Anthropic({ baseURL: server.url, apiKey: 'unused', maxRetries: 0 })
    const ask = { model, messages: [...messages], max_tokens: 64, temperature: 0 }
    const chat = await client.chat.completions.create(ask)
    const message = await anthropic.messages.stream(ask).finalMessage()
    expect(message.content).toMatchObject([{ type: 'text', text: chat.choices[0]!.message.content }])
    const { input_tokens: ran, cache_read_input_tokens: cached, output_tokens: wrote } = message.usage
    expect([ran + cached!, wrote]).toEqual([chat.usage!.prompt_tokens, chat.usage!.completion_tokens])
    const { input_tokens: counted } = await anthropic.messages.countTokens({ model, messages: [...messages] })
    expect(counted).toBe(chat.usage!.prompt_tokens)

    const endless = anthropic.messages.stream({ ...ask, stop_sequences: [], max_tokens: 4000 })
    for await (const event of endless) if (event.type === 'content_block_delta') break
    endless.abort()
    await expect.poll(() => sessionsInUse(server.url)).toBe(0)
  })

  holdsAnthropic('tools')('gets calls of tools that fit their schema', async () => {
    const anthropic = new Anthropic({ baseURL: server.url, apiKey: 'unused', maxRetries: 0 })
    const message = await anthropic.messages.create({
      model,
      max_tokens: 64,
      messages: [{ role: 'user', content: 'Make the light blue.' }],
      tools: [tool],
      tool_choice: { type: 'tool', name: 'set_colour' },
    })
    expect(message.stop_reason).toBe('tool_use')
    expect(message.content).toMatchObject([{ type: 'tool_use', name: 'set_colour' }])
    const [call] = message.content
    expect(['red', 'green', 'blue']).toContain(
      call?.type === 'tool_use' && (call.input as { readonly colour: string }).colour,
    )
  })
})
