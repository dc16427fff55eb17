import { type ChatResponse, chatChunkSchema, chatResponseSchema } from '@petals-chat/api'
import { type Grammar, InvalidRequestError } from '@petals-chat/engine'
import { describe, expect, test } from 'vitest'
import { createTestApp, type TestAppOptions } from './fixtures/test-app.ts'

const path = '/v1/chat/completions'
const messages = [{ role: 'user', content: 'What is the capital of France?' }]
const request = { model: 'test', messages, temperature: 0 }

/** One answer of a fresh gateway, checked against the schema that the documentation is made of. */
async function complete(body: object, options: TestAppOptions = {}): Promise<ChatResponse> {
  await using app = createTestApp(options)
  const response = await app.post(path, { ...request, ...body })
  const json: unknown = await response.json()
  expect(response.status, JSON.stringify(json)).toBe(200)
  return chatResponseSchema.parse(json)
}

/** The prompt that the engine was given. */
async function promptOf(body: object, options: TestAppOptions = {}): Promise<string> {
  let seen = ''
  await complete(body, {
    ...options,
    reply: (prompt) => {
      seen = prompt
      return 'ok'
    },
  })
  return seen
}

async function refusal(body: object, options: TestAppOptions = {}) {
  await using app = createTestApp(options)
  const response = await app.post(path, { ...request, ...body })
  const { error } = (await response.json()) as { error: Record<string, string | null> }
  expect(response.status, JSON.stringify(error)).toBeGreaterThanOrEqual(400)
  return { status: response.status, ...error }
}

const paris = { reply: () => 'Paris, the city of light. 🗼' }

describe('an answer as JSON', () => {
  test('has the text, why it ended, usage, timings and a fingerprint', async () => {
    const response = await complete({}, paris)
    expect(response.id).toMatch(/^chatcmpl-[0-9a-f]{32}$/)
    expect(response).toMatchObject({ object: 'chat.completion', model: 'test' })
    expect(response.system_fingerprint).toMatch(/^fp_[0-9a-f]{10}$/)
    expect(Math.abs(response.created - Date.now() / 1000)).toBeLessThan(60)
    expect(response.choices).toEqual([
      {
        index: 0,
        message: {
          role: 'assistant',
          content: 'Paris, the city of light. 🗼',
          refusal: null,
          annotations: [],
        },
        logprobs: null,
        finish_reason: 'stop',
      },
    ])
    // <|user|> + 30 characters + <|end|> + <|assistant|> and BOS; the answer is 30 bytes and an end token.
    expect(response.usage).toEqual({
      prompt_tokens: 34,
      completion_tokens: 31,
      total_tokens: 65,
      prompt_tokens_details: { cached_tokens: 0 },
    })
    expect(response.timings).toMatchObject({ prompt_n: 34, cache_n: 0, predicted_n: 31 })
  })

  test('has the request id in its header', async () => {
    await using app = createTestApp(paris)
    const response = await app.post(path, request)
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('counts what a second turn finds in the KV cache', async () => {
    await using app = createTestApp(paris)
    const first = (await (await app.post(path, request)).json()) as ChatResponse
    const turns = [
      ...messages,
      { role: 'assistant', content: first.choices[0]!.message.content },
      ...messages,
    ]
    const second = (await (await app.post(path, { ...request, messages: turns })).json()) as ChatResponse
    expect(second.usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(60)
    expect(second.timings.cache_n).toBe(second.usage.prompt_tokens_details.cached_tokens)
    expect(app.engine.sessionsOpened).toBe(1)
  })

  test('ends at max_completion_tokens, max_tokens, and the model’s own default', async () => {
    const cut = { choices: [{ message: { content: 'Par' }, finish_reason: 'length' }] }
    expect(await complete({ max_completion_tokens: 3, max_tokens: 9 }, paris)).toMatchObject(cut)
    expect(await complete({ max_tokens: 3 }, paris)).toMatchObject(cut)
    expect(await complete({}, { ...paris, specs: [{ generation: { max_new_tokens: 3 } }] })).toMatchObject(
      cut,
    )
    expect(await complete({}, { ...paris, generation: { max_new_tokens: 3 } })).toMatchObject(cut)
  })

  test('ends after 2048 tokens where nothing says when, however much room there is', async () => {
    const { choices, usage } = await complete({}, { contextLength: 8192 })
    expect(choices[0]!.finish_reason).toBe('length')
    expect(usage.completion_tokens).toBe(2048)
  })

  test('ends at a stop text across token borders, without it', async () => {
    for (const stop of ['the city', ['zzz', 'the city']]) {
      const { choices, usage } = await complete({ stop }, paris)
      expect(choices[0]).toMatchObject({ message: { content: 'Paris, ' }, finish_reason: 'stop' })
      expect(usage.completion_tokens).toBe('Paris, the city'.length)
    }
  })

  test('goes on after end tokens with ignore_eos', async () => {
    const { choices } = await complete({ ignore_eos: true, max_tokens: 40 }, paris)
    expect(choices[0]!.finish_reason).toBe('length')
  })

  test('gives n choices that share the prompt, each with its own seed', async () => {
    await using app = createTestApp()
    const body = { ...request, n: 3, max_tokens: 12, temperature: 2, seed: 7 }
    const first = (await (await app.post(path, body)).json()) as ChatResponse
    const texts = first.choices.map(({ message }) => message.content)
    expect(first.choices.map(({ index }) => index)).toEqual([0, 1, 2])
    expect(new Set(texts).size).toBe(3)
    expect(first.usage).toMatchObject({ prompt_tokens: 34, completion_tokens: 36 })
    expect(app.engine.sessionsOpened).toBe(1)
    const again = (await (await app.post(path, body)).json()) as ChatResponse
    expect(again.choices.map(({ message }) => message.content)).toEqual(texts)
    const alone = (await (await app.post(path, { ...body, n: 1, seed: 9 })).json()) as ChatResponse
    expect(alone.choices[0]!.message.content).toBe(texts[2])
  })

  test('takes any integer as a seed', async () => {
    const text = async (seed: number) =>
      (await complete({ seed, temperature: 2, max_tokens: 12 })).choices[0]!.message.content
    expect(await text(2 ** 32 + 5)).toBe(await text(5))
    expect(await text(-5)).toBe(await text(2 ** 32 - 5))
  })

  test('samples by the model’s defaults, which a request can override', async () => {
    const sampled = { specs: [{ generation: { do_sample: false, temperature: 0.7 } }] }
    const text = async (body: object, options: TestAppOptions) =>
      (await complete({ temperature: undefined, max_tokens: 12, seed: 1, ...body }, options)).choices[0]!
        .message.content
    const greedy = await text({ temperature: 0 }, {})
    expect(await text({}, sampled)).toBe(greedy)
    expect(await text({ temperature: 2 }, sampled)).not.toBe(greedy)
    expect(await text({ temperature: 2, top_k: 1 }, {})).toBe(greedy)
    expect(await text({ temperature: 2, top_p: 0 }, {})).toBe(greedy)
    expect(await text({ temperature: 2, min_p: 1 }, {})).toBe(greedy)
    expect(await text({ temperature: 2 }, { specs: [{ generation: { top_k: 1 } }] })).toBe(greedy)
  })

  test('adds logit_bias to the tokens that it names', async () => {
    const bang = String('!'.charCodeAt(0))
    const { choices } = await complete({ logit_bias: { [bang]: 100 }, max_tokens: 4 })
    expect(choices[0]!.message.content).toBe('!!!!')
    expect(await refusal({ logit_bias: { 5000: 1 } })).toMatchObject({ status: 400, param: 'logit_bias' })
  })

  test('penalises what was said', async () => {
    const aaa = { continuation: () => 97 }
    expect((await complete({ max_tokens: 5 }, aaa)).choices[0]!.message.content).toBe('aaaaa')
    expect(
      (await complete({ max_tokens: 50, frequency_penalty: 2 }, aaa)).choices[0]!.message.content,
    ).not.toBe('a'.repeat(50))
    const repeated = await complete({ max_tokens: 5, repetition_penalty: 10 }, aaa)
    expect(repeated.choices[0]!.message.content).not.toBe('aaaaa')
  })
})

describe('log probabilities', () => {
  test('come with every token, its bytes and the most probable ones', async () => {
    const { choices } = await complete({ logprobs: true, top_logprobs: 3 }, { reply: () => 'Aé' })
    const content = choices[0]!.logprobs!.content!
    expect(content.map(({ token, bytes }) => [token, bytes])).toEqual([
      ['A', [65]],
      ['\ufffd', null],
      ['\ufffd', null],
    ])
    for (const { logprob, top_logprobs } of content) {
      expect(logprob).toBeLessThan(0)
      expect(top_logprobs).toHaveLength(3)
      expect(top_logprobs[0]!.logprob).toBe(logprob)
      expect(top_logprobs.map((top) => top.logprob)).toEqual(
        top_logprobs.map((top) => top.logprob).toSorted((a, b) => b - a),
      )
    }
  })

  test('may come without the most probable ones', async () => {
    const { choices } = await complete({ logprobs: true }, paris)
    expect(choices[0]!.logprobs!.content![0]).toMatchObject({ token: 'P', top_logprobs: [] })
  })

  test('stream with the text, all of them', async () => {
    await using app = createTestApp({ reply: () => 'naïve' })
    const body = { ...request, logprobs: true, top_logprobs: 1 }
    const { events } = await app.stream(path, body)
    const streamed = events.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? [])
    const whole = (await (await app.post(path, body)).json()) as ChatResponse
    expect(streamed).toEqual(whole.choices[0]!.logprobs!.content)
    expect(streamed).toHaveLength(6)
  })

  test('are refused where they make no sense or the engine has none', async () => {
    expect(await refusal({ top_logprobs: 2 })).toMatchObject({ status: 400, param: 'top_logprobs' })
    expect(await refusal({ logprobs: true }, { capabilities: { logprobs: false } })).toMatchObject({
      status: 400,
      param: 'logprobs',
      code: 'unsupported_parameter',
    })
  })
})

describe('the prompt', () => {
  test('is the dialogue in the model’s template, with BOS once', async () => {
    const dialogue = [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hel' },
          { type: 'text', text: 'lo' },
        ],
      },
      { role: 'assistant', content: 'Hi.' },
      { role: 'user', content: 'Bye' },
    ]
    expect(await promptOf({ messages: dialogue })).toBe(
      '<s><|system|>Be brief.<|end|><|user|>Hello<|end|><|assistant|>Hi.<|end|><|user|>Bye<|end|>',
    )
    const writesBos = {
      stopSequences: [],
      writesBos: true,
      render: () => '<s>just this<|assistant|>',
    }
    expect(await promptOf({}, { chatTemplate: writesBos })).toBe('<s>just this')
  })

  test('takes developer messages for system messages', async () => {
    expect(
      await promptOf({ messages: [{ role: 'developer', content: 'Be brief.' }, ...messages] }),
    ).toContain('<|system|>Be brief.')
  })

  test.each([{ continue_final_message: true }, { prefix: true }])(
    'goes on with an unfinished answer (%j)',
    async (how) => {
      const { prefix, ...fields } = { prefix: undefined, ...how }
      const unfinished = [...messages, { role: 'assistant', content: 'Par', prefix }]
      const { choices } = await complete({ ...fields, messages: unfinished }, { reply: () => 'Paris.' })
      expect(choices[0]!.message.content).toBe('is.')
    },
  )

  test('can’t go on with a question', async () => {
    expect(await refusal({ continue_final_message: true })).toMatchObject({
      status: 400,
      param: 'continue_final_message',
    })
  })

  test('stops at the template’s own stop texts', async () => {
    const template = { stopSequences: ['###'], writesBos: false, render: () => '<|assistant|>' }
    const { choices } = await complete({}, { chatTemplate: template, reply: () => 'Hi.### Human: what?' })
    expect(choices[0]!.message.content).toBe('Hi.')
  })

  test('hands further variables to the template', async () => {
    let seen: unknown
    const template = {
      stopSequences: [],
      writesBos: false,
      render: (_messages: unknown, options?: { readonly variables?: unknown }) => {
        seen = options?.variables
        return 'x'
      },
    }
    await complete(
      { chat_template_kwargs: { enable_thinking: false }, reasoning_effort: 'low', max_tokens: 1 },
      { chatTemplate: template },
    )
    expect(seen).toEqual({ enable_thinking: false, reasoning_effort: 'low' })
  })

  test('of a message without content is refused', async () => {
    expect(await refusal({ messages: [{ role: 'assistant' }] })).toMatchObject({
      status: 400,
      param: 'messages[0].content',
      code: 'missing_required_parameter',
    })
  })
})

describe('a streamed answer', () => {
  test('has the same text, one event a character at least, and [DONE]', async () => {
    await using app = createTestApp(paris)
    const { events, done, response } = await app.stream(path, request)
    for (const event of events) chatChunkSchema.parse(event)
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-store, no-transform')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    expect(done).toBe(true)
    expect(events[0].choices[0].delta).toEqual({ role: 'assistant', content: '', refusal: null })
    expect(events.map(({ choices }) => choices[0].delta.content ?? '').join('')).toBe(
      'Paris, the city of light. 🗼',
    )
    expect(events.length).toBeGreaterThan(25)
    expect(events.at(-1).choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' })
    expect(events.at(-1).timings).toMatchObject({ predicted_n: 31 })
    expect(events.slice(0, -1).every(({ choices }) => choices[0].finish_reason === null)).toBe(true)
    expect(new Set(events.map(({ id }) => id)).size).toBe(1)
    expect(events.every((event) => !('usage' in event))).toBe(true)
  })

  test('has usage in a last event of its own if asked for', async () => {
    await using app = createTestApp(paris)
    const { events, done } = await app.stream(path, { ...request, stream_options: { include_usage: true } })
    expect(done).toBe(true)
    expect(events.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 34, completion_tokens: 31 } })
    expect(events.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
  })

  test('has n choices one after the other', async () => {
    await using app = createTestApp(paris)
    const { events } = await app.stream(path, { ...request, n: 2, stream_options: { include_usage: true } })
    const textOf = (index: number) =>
      events
        .flatMap(({ choices }) => choices)
        .filter((choice) => choice.index === index)
        .map(({ delta }) => delta.content ?? '')
        .join('')
    expect([textOf(0), textOf(1)]).toEqual([paris.reply(), paris.reply()])
    expect(events.filter(({ choices }) => choices[0]?.finish_reason === 'stop')).toHaveLength(2)
    expect(events.at(-1).usage).toMatchObject({ prompt_tokens: 34, completion_tokens: 62 })
  })

  test('that fails in the middle ends with an error event, and neither [DONE] nor a finish_reason', async () => {
    await using app = createTestApp({
      ...paris,
      beforeStep: ({ step }) => {
        if (step === 5) throw new Error('/secret/path exploded')
      },
    })
    const { events, done, response } = await app.stream(path, request)
    expect(response.status).toBe(200)
    expect(done).toBe(false)
    expect(events.at(-1)).toEqual({
      error: {
        message: expect.stringContaining(response.headers.get('x-request-id')!),
        type: 'server_error',
        param: null,
        code: 'internal_error',
      },
    })
    expect(JSON.stringify(events)).not.toContain('secret')
    expect(events.some((event) => event.choices?.[0]?.finish_reason)).toBe(false)
  })

  test('that fails before its first token has the right status', async () => {
    await using app = createTestApp({ specs: [{}, { id: 'other' }] })
    const response = await app.post(path, { ...request, model: 'nobody', stream: true })
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
  })

  test('pings while the model is slow', async () => {
    await using app = createTestApp({
      reply: () => 'ok',
      beforeStep: () => new Promise((resolve) => void setTimeout(resolve, 50)),
      config: { ssePingIntervalMs: 15 },
    })
    const { comments, done } = await app.stream(path, request)
    expect(done).toBe(true)
    expect(comments.length).toBeGreaterThan(2)
    expect(comments[0]).toBe(': ping')
  })
})

describe('thoughts', () => {
  const thinking = { reply: () => '<think>\nFrance… Paris.\n</think>\n\nParis.' }

  test('are apart from the answer', async () => {
    const { choices } = await complete({}, thinking)
    expect(choices[0]!.message).toMatchObject({ content: 'Paris.', reasoning_content: 'France… Paris.\n' })
  })

  test('stream as reasoning_content', async () => {
    await using app = createTestApp(thinking)
    const { events } = await app.stream(path, request)
    const join = (field: string) => events.map(({ choices }) => choices[0].delta[field] ?? '').join('')
    expect(join('reasoning_content')).toBe('France… Paris.\n')
    expect(join('content')).toBe('Paris.')
  })

  test('stay in the answer with reasoning_format none', async () => {
    const { choices } = await complete({ reasoning_format: 'none' }, thinking)
    expect(choices[0]!.message).toMatchObject({ role: 'assistant', content: thinking.reply(), refusal: null })
  })

  test('are found where the template opened them', async () => {
    const template = { stopSequences: [], writesBos: false, render: () => '<|assistant|><think>\n' }
    const { choices } = await complete(
      {},
      { chatTemplate: template, reply: () => '<think>\nHm.</think>Yes.' },
    )
    expect(choices[0]!.message).toMatchObject({ content: 'Yes.', reasoning_content: 'Hm.' })
  })
})

const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'Weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const clock = { type: 'function', function: { name: 'clock' } }

describe('tools', () => {
  const calling = {
    reply: () => '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>',
  }

  test('are told to the model, and its call is found', async () => {
    const { choices } = await complete({ tools: [weather] }, calling)
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: null,
        tool_calls: [{ type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } }],
      },
    })
    expect(choices[0]!.message.tool_calls![0]!.id).toMatch(/^call_/)
    const prompt = await promptOf({ tools: [weather] })
    expect(prompt).toContain('Weather of a city')
    expect(await promptOf({ tools: [weather], tool_choice: 'none' })).not.toContain('Weather of a city')
  })

  test('stream as deltas', async () => {
    await using app = createTestApp(calling)
    const { events, done } = await app.stream(path, { ...request, tools: [weather] })
    const calls = events.flatMap(({ choices }) => choices[0].delta.tool_calls ?? [])
    expect(done).toBe(true)
    expect(calls.map(({ index }) => index)).toEqual(calls.map(() => 0))
    expect(calls[0]).toMatchObject({ type: 'function', function: { name: 'weather' } })
    expect(JSON.parse(calls.map((call) => call.function.arguments).join(''))).toEqual({ city: 'Paris' })
    expect(events.at(-1).choices[0].finish_reason).toBe('tool_calls')
    expect(events.map(({ choices }) => choices[0].delta.content ?? '').join('')).toBe('')
  })

  test('may be left alone by the model', async () => {
    await using app = createTestApp(paris)
    const { events } = await app.stream(path, { ...request, tools: [weather] })
    expect(events.length).toBeGreaterThan(25)
    expect(events.at(-1).choices[0].finish_reason).toBe('stop')
  })

  test.each([
    ['required', 'required', ['weather', 'clock']],
    ['a name', { type: 'function', function: { name: 'clock' } }, ['clock']],
  ])('are forced by grammar with tool_choice %s', async (_name, toolChoice, allowed) => {
    let grammar: Grammar | undefined
    const { choices } = await complete(
      { tools: [weather, clock], tool_choice: toolChoice },
      {
        grammarReply: (asked) => {
          grammar = asked
          return JSON.stringify({
            name: allowed[0],
            arguments: allowed[0] === 'weather' ? { city: 'Rome' } : {},
          })
        },
      },
    )
    expect(grammar?.type).toBe('json-schema')
    for (const name of ['weather', 'clock']) {
      expect(JSON.stringify(grammar).includes(`"${name}"`)).toBe(allowed.includes(name))
    }
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: [{ function: { name: allowed[0] } }] },
    })
  })

  test('stream their forced arguments as they come; cut ones are still calls', async () => {
    await using app = createTestApp({
      grammarReply: () => '{"name": "weather", "arguments": {"city": "Paris"}}',
    })
    const body = { ...request, tools: [weather], tool_choice: 'required' }
    const { events } = await app.stream(path, body)
    const calls = events.flatMap(({ choices }) => choices[0].delta.tool_calls ?? [])
    expect(calls.length).toBeGreaterThan(10)
    expect(calls.map((call) => call.function.arguments).join('')).toBe('{"city": "Paris"}')
    expect(events.at(-1).choices[0].finish_reason).toBe('tool_calls')
    const cut = (await (await app.post(path, { ...body, max_tokens: 40 })).json()) as ChatResponse
    expect(cut.choices[0]).toMatchObject({
      finish_reason: 'length',
      message: {
        tool_calls: [{ function: { name: 'weather', arguments: expect.stringMatching(/^\{"ci/) } }],
      },
    })
  })

  test('results go back to the model', async () => {
    const dialogue = [
      ...messages,
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'sunny' },
    ]
    const prompt = await promptOf({ messages: dialogue, tools: [weather] })
    expect(prompt).toContain('"name": "weather"')
    expect(prompt).toContain('sunny')
  })

  test.each([
    ['tool_choice', { tool_choice: 'required' }, {}],
    ['tool_choice', { tools: [clock], tool_choice: { type: 'function', function: { name: 'weather' } } }, {}],
    ['tool_choice', { tools: [clock], tool_choice: 'required' }, { capabilities: { grammar: false } }],
    ['tools[1].function.name', { tools: [clock, clock] }, {}],
    ['guided_regex', { tools: [clock], guided_regex: 'a' }, {}],
    [
      'response_format',
      { tools: [clock], response_format: { type: 'json_object' } },
      { capabilities: { grammar: false } },
    ],
  ])('are refused at %s: %j', async (param, body, options) => {
    expect(await refusal(body, options)).toMatchObject({ status: 400, type: 'invalid_request_error', param })
  })

  test('of schemas without end are refused', async () => {
    const deep = JSON.parse(`${'{"a":'.repeat(100)}{}${'}'.repeat(100)}`) as object
    const tool = { type: 'function', function: { name: 'deep', parameters: deep } }
    expect(await refusal({ tools: [tool] })).toMatchObject({
      status: 400,
      param: 'tools[0].function.parameters',
    })
  })

  test('work by the model’s own choice on engines without grammar', async () => {
    const { choices } = await complete({ tools: [weather] }, { ...calling, capabilities: { grammar: false } })
    expect(choices[0]!.finish_reason).toBe('tool_calls')
  })
})

describe('response_format', () => {
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

  test('json_schema and json_object are kept by grammar', async () => {
    const bySchema = await complete({
      response_format: { type: 'json_schema', json_schema: { name: 'city', schema, strict: true } },
    })
    expect(JSON.parse(bySchema.choices[0]!.message.content!)).toEqual({ city: 'text' })
    const anyObject = await complete({ response_format: { type: 'json_object' } })
    expect(JSON.parse(anyObject.choices[0]!.message.content!)).toEqual({})
  })

  test('text is what there is anyway', async () => {
    expect((await complete({ response_format: { type: 'text' } }, paris)).choices[0]!.message.content).toBe(
      paris.reply(),
    )
  })

  test.each([
    [
      'response_format.json_schema.schema',
      { response_format: { type: 'json_schema', json_schema: { name: 'city', schema } } },
    ],
    ['tools', { tools: [weather], tool_choice: 'required' }],
  ])('that an engine can’t read is refused at %s', async (param, body) => {
    const grammarReply = () => {
      throw new InvalidRequestError("The grammar can't be read: no lookbehind.", { param: 'grammar' })
    }
    expect(await refusal(body, { grammarReply })).toMatchObject({
      status: 400,
      param,
      code: 'invalid_json_schema',
      message: expect.stringContaining('no lookbehind'),
    })
  })

  test('is refused on engines without grammar', async () => {
    const error = await refusal(
      { response_format: { type: 'json_object' } },
      { capabilities: { grammar: false } },
    )
    expect(error).toMatchObject({
      status: 400,
      type: 'invalid_request_error',
      param: 'response_format',
      code: 'unsupported_parameter',
    })
  })
})
