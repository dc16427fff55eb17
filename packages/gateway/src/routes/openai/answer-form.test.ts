import {
  type ChatResponse,
  chatChunkSchema,
  chatResponseSchema,
  completionResponseSchema,
} from '@petals-chat/api'
import { type Grammar, type JsonGrammar, InvalidRequestError } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { createTestApp, type TestAppOptions } from './fixtures/test-app.ts'

const path = '/v1/chat/completions'
const request = { model: 'test', messages: [{ role: 'user', content: 'Hi' }], temperature: 0 }
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const tool = (name: string, more: object = {}) => ({ type: 'function', function: { name, ...more } })
const weather = tool('weather', { parameters: schema })
const clock = tool('clock')

/** The answer, and the grammar that restricted the model. */
async function answer(body: object, options: TestAppOptions = {}, route = path) {
  let grammar: Grammar | undefined
  const { grammarReply, ...others } = options
  const watching = {
    ...others,
    grammarReply: (given: Grammar) => {
      grammar = given
      return grammarReply?.(given) ?? '{}'
    },
  }
  await using app = createTestApp(watching)
  const response = await app.post(route, { ...request, ...body })
  const json = (await response.json()) as ChatResponse & { error?: Record<string, string> }
  return { status: response.status, json, grammar, error: json.error, choice: json.choices?.[0] }
}

describe('the format of an answer', () => {
  const named = (param: string, strict = false) => ({ type: 'json-schema', schema, strict, name: param })

  it.each<[body: object, grammar: object]>([
    [{ response_format: { type: 'json_object' } }, { type: 'json-object' }],
    [{ response_format: { type: 'json_object', schema } }, named('response_format.schema')],
    [{ response_format: { type: 'json_object', value: schema } }, named('response_format.value')],
    [{ response_format: { type: 'json', value: schema } }, named('response_format.value')],
    [{ response_format: { type: 'json_schema', schema } }, named('response_format.schema')],
    [
      { response_format: { type: 'json_schema', json_schema: { schema } } },
      named('response_format.json_schema.schema'),
    ],
    [
      { response_format: { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } } },
      named('response_format.json_schema.schema', true),
    ],
    [{ response_format: { type: 'regex', value: 'a+' } }, { type: 'regex', pattern: 'a+' }],
    [
      { response_format: { type: 'grammar', grammar: 'root ::= "a"' } },
      { type: 'gbnf', source: 'root ::= "a"' },
    ],
    [{ json_schema: schema }, named('json_schema')],
    [{ guided_json: schema }, named('guided_json')],
    [{ guided_json: JSON.stringify(schema), response_format: { type: 'text' } }, named('guided_json')],
    [{ guided_regex: 'a+' }, { type: 'regex', pattern: 'a+' }],
    [{ guided_choice: ['yes', 'n"o\\'] }, { type: 'gbnf', source: 'root ::= "yes" | "n\\x22o\\x5c"' }],
    [{ guided_grammar: 'root ::= "a"' }, { type: 'gbnf', source: 'root ::= "a"' }],
    [
      { grammar: 'root ::= "a"', guided_json: null },
      { type: 'gbnf', source: 'root ::= "a"' },
    ],
    [{ structured_outputs: { json: schema } }, named('structured_outputs.json')],
    [{ structured_outputs: { choice: ['a'] } }, { type: 'gbnf', source: 'root ::= "a"' }],
    [{ structured_outputs: { json_object: true } }, { type: 'json-object' }],
  ])('is set by %j', async (body, grammar) => {
    expect(await answer(body)).toMatchObject({ status: 200, grammar })
    if (!('response_format' in body)) {
      const { messages: _, ...rest } = request
      const completion = await answer(
        { ...rest, messages: undefined, prompt: 'a', ...body },
        {},
        '/v1/completions',
      )
      expect(completion).toMatchObject({ status: 200, grammar })
    }
  })

  it('is not set by an empty grammar, which llama-server’s page sends', async () => {
    expect(await answer({ grammar: '' })).toMatchObject({ status: 200, grammar: undefined })
  })

  it.each<[param: string, body: object]>([
    ['guided_json', { response_format: { type: 'json_object' }, guided_json: {} }],
    ['structured_outputs.regex', { structured_outputs: { json: {}, regex: 'a' } }],
    ['guided_json', { guided_json: '{' }],
    ['response_format.json_schema', { response_format: { type: 'json_schema' } }],
    ['response_format.structure', { response_format: { type: 'json_object', structure: {} } }],
    ['response_format.type', { response_format: { type: 'xml' } }],
    ['structured_outputs.structural_tag', { structured_outputs: { structural_tag: {} } }],
    ['guided_choice', { guided_choice: [] }],
  ])('is refused at %s: %j', async (param, body) => {
    expect(await answer(body)).toMatchObject({ status: 400, error: { param } })
  })

  it('written as a text obeys the limits of a body', async () => {
    const long = JSON.stringify({ enum: Array.from({ length: 60_000 }, (_, value) => value) })
    const { status, error } = await answer({ guided_json: long })
    expect([status, error?.message]).toEqual([400, expect.stringContaining('more than 50000 values')])
  })

  it('is refused at its own field if the engine rejects the grammar', async () => {
    const grammarReply = () => {
      throw new InvalidRequestError("The grammar can't be read.", { param: 'grammar' })
    }
    for (const [param, body] of [
      ['guided_regex', { guided_regex: 'a' }],
      ['grammar', { grammar: 'x' }],
    ] as const) {
      expect(await answer(body, { grammarReply })).toMatchObject({ status: 400, error: { param } })
      const completion = { messages: undefined, prompt: 'a', ...body }
      expect(await answer(completion, { grammarReply }, '/v1/completions')).toMatchObject({
        status: 400,
        error: { param },
      })
    }
  })

  it('requires an engine with grammars', async () => {
    const options = { capabilities: { grammar: false } }
    expect(await answer({ guided_json: {} }, options)).toMatchObject({
      status: 400,
      error: { param: 'guided_json' },
    })
  })
})

describe('tools with a format', () => {
  const body = {
    tools: [weather, clock],
    response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
  }

  it('allow a call, in both notations that models have learnt, or an answer in the format', async () => {
    const { grammar } = await answer(body)
    const call = {
      type: 'json-schema',
      documents: { 'tools[0].function.parameters': { schema, strict: false } },
    }
    expect(grammar).toMatchObject({
      type: 'either',
      forms: [
        { before: '<tool_call>\n', grammar: call, after: '\n</tool_call>' },
        { grammar: call },
        { grammar: { schema, name: 'response_format.json_schema.schema' } },
      ],
    })
  })

  it('return the call or the answer that the model chose', async () => {
    const called = await answer(body, {
      grammarReply: () => '<tool_call>\n{"name":"clock","arguments":{}}\n</tool_call>',
    })
    expect(called.choice).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: [{ function: { name: 'clock', arguments: '{}' } }] },
    })
    const said = await answer(body, { grammarReply: () => '{"city":"Rome"}' })
    expect(said.choice).toMatchObject({ finish_reason: 'stop', message: { content: '{"city":"Rome"}' } })
    expect(said.choice!.message.tool_calls).toBeUndefined()
  })

  it('are called where a call is required; the format applies to the final answer', async () => {
    const { grammar } = await answer({ ...body, tool_choice: 'required' })
    expect(grammar).toMatchObject({ type: 'json-schema', schema: { anyOf: [{}, {}] } })
  })

  it('do not change the format with tool_choice none', async () => {
    expect((await answer({ ...body, tool_choice: 'none' })).grammar).toMatchObject({ schema })
  })
})

describe('tool_choice', () => {
  const functionsOf = (grammar: Grammar | undefined) =>
    Object.keys((grammar as JsonGrammar & { type: 'json-schema' }).documents!)
  const both = ['tools[0].function.parameters', 'tools[1].function.parameters']
  const second = both.slice(1)

  it.each<[choice: unknown, functions: readonly string[]]>([
    ['required', both],
    ['any', both],
    [{ type: 'any' }, both],
    [{ type: 'required' }, both],
    [{ type: 'function', function: { name: 'clock' } }, second],
    [{ type: 'function', name: 'clock' }, second],
    [{ type: 'tool', name: 'clock' }, second],
    [{ type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [clock] } }, second],
  ])('%j forces a call', async (tool_choice, functions) => {
    const { grammar } = await answer({ tools: [weather, clock], tool_choice })
    expect(functionsOf(grammar)).toEqual(functions)
  })

  it.each(['auto', { type: 'auto' }, { type: 'none' }, 'none', null])(
    '%j forces no call',
    async (tool_choice) => {
      expect(await answer({ tools: [weather], tool_choice })).toMatchObject({
        status: 200,
        grammar: undefined,
      })
    },
  )

  it('allows calls only of the allowed functions', async () => {
    const tool_choice = { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [clock] } }
    const reply = () => '{"name":"weather","arguments":{"city":"Rome"}}'
    const { choice } = await answer({ tools: [weather, clock], tool_choice }, { reply })
    expect(choice).toMatchObject({ finish_reason: 'stop', message: { content: reply() } })
  })

  it('is refused if it names a function that is not in tools', async () => {
    const tool_choice = { type: 'function', function: { name: 'rm' } }
    const { error } = await answer({ tools: [weather], tool_choice })
    expect(error).toMatchObject({ param: 'tool_choice', message: expect.stringContaining("'rm'") as string })
  })

  it('allows several calls only where the request asks for them', async () => {
    const body = { tools: [weather, clock], tool_choice: 'required' }
    const list = { schema: { type: 'array' } }
    expect((await answer({ ...body, parallel_tool_calls: true })).grammar).toMatchObject(list)
    expect((await answer(body)).grammar).not.toMatchObject(list)
    expect((await answer({ ...body, parallel_tool_calls: false })).grammar).not.toMatchObject(list)
    // The same function for several cities.
    expect((await answer({ ...body, tools: [weather], parallel_tool_calls: true })).grammar).toMatchObject(
      list,
    )
    const named = { ...body, tool_choice: { type: 'function', function: { name: 'weather' } } }
    expect((await answer({ ...named, parallel_tool_calls: true })).grammar).not.toMatchObject(list)
  })
})

describe('the shape of an answer', () => {
  it.each<[name: string, body: object, options: TestAppOptions]>([
    ['words', {}, { reply: () => 'Hello.' }],
    [
      'a forced call',
      { tools: [weather], tool_choice: 'required' },
      { grammarReply: () => '{"name":"weather","arguments":{"city":"Rome"}}' },
    ],
    ['a call', { tools: [clock] }, { reply: () => '<tool_call>{"name":"clock"}</tool_call>' }],
    ['logprobs', { logprobs: true, top_logprobs: 2 }, { reply: () => 'Hi' }],
    ['several choices', { n: 2 }, { reply: () => 'Hi' }],
    ['usage', { stream_options: { include_usage: true } }, { reply: () => 'Hi' }],
  ])('matches the documented schemas, as one body and as events: %s', async (_name, body, options) => {
    const { stream_options: _, ...plain } = body as Record<string, unknown>
    chatResponseSchema.parse((await answer(plain, options)).json)
    await using app = createTestApp(options)
    const { events } = await app.stream(path, { ...request, ...body })
    for (const event of events) chatChunkSchema.parse(event)
    expect(events[0].choices[0].delta).toMatchObject({ role: 'assistant', refusal: null })
  })

  const forced = { tools: [weather], tool_choice: 'required' }
  const grammarReply = () => '{"name": "weather", "arguments": {"city": "Rome"}}'

  it('has no content in any event of a forced call', async () => {
    await using app = createTestApp({ grammarReply })
    for (const body of [forced, { ...forced, logprobs: true }]) {
      const { events } = await app.stream(path, { ...request, ...body })
      expect(events[0].choices[0].delta).toEqual({ role: 'assistant', content: null, refusal: null })
      const others = events.slice(1).filter(({ choices }) => 'content' in (choices[0]?.delta ?? {}))
      expect(others).toEqual([])
      const calls = events.flatMap(({ choices }) => choices[0].delta.tool_calls ?? [])
      expect(calls[0]).toMatchObject({
        index: 0,
        type: 'function',
        function: { name: 'weather', arguments: '' },
      })
      expect(events.at(-1).choices[0].finish_reason).toBe('tool_calls')
    }
  })

  it.each([3, 10, 40])('has no words if a forced call is cut after %i tokens', async (max_tokens) => {
    const { choice } = await answer({ ...forced, max_tokens }, { grammarReply })
    expect(choice).toMatchObject({ finish_reason: 'length', message: { content: null } })
    await using app = createTestApp({ grammarReply })
    const { events } = await app.stream(path, { ...request, ...forced, max_tokens })
    expect(events[0].choices[0].delta.content).toBe(null)
    expect(
      events
        .slice(1)
        .map(({ choices }) => choices[0].delta.content ?? '')
        .join(''),
    ).toBe('')
    expect(events.at(-1).choices[0].finish_reason).toBe('length')
  })

  it('of a completion matches the documented schemas', async () => {
    const { json } = await answer(
      { messages: undefined, prompt: 'a', max_tokens: 3, logprobs: 1 },
      {},
      '/v1/completions',
    )
    completionResponseSchema.parse(json)
  })

  it('with tools is streamed as soon as the text can’t be a call', async () => {
    const reply = () => '```python\nprint("a")\n```'
    await using app = createTestApp({ reply })
    const { events } = await app.stream(path, { ...request, tools: [weather] })
    const pieces = events.map(({ choices }) => choices[0].delta.content ?? '').filter((text) => text !== '')
    expect(pieces.join('')).toBe(reply())
    expect(pieces.length).toBeGreaterThan(10)
  })
})
