import type { ChatResponse } from '@petals-chat/api'
import { type Grammar, InvalidRequestError } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { complete, messages, paris, path, promptOf, refusal, request } from './fixtures/chat.ts'
import { createTestApp } from './fixtures/test-app.ts'

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

  it('are described to the model, and its call is found', async () => {
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

  it('stream as deltas', async () => {
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

  it('need not be called by the model', async () => {
    await using app = createTestApp(paris)
    const { events } = await app.stream(path, { ...request, tools: [weather] })
    expect(events.length).toBeGreaterThan(25)
    expect(events.at(-1).choices[0].finish_reason).toBe('stop')
  })

  it.each([
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

  it('stream forced arguments as they arrive; cut arguments are still a call', async () => {
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

  it('pass their results to the model', async () => {
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

  it.each([
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

  it('are refused if a schema is too deep', async () => {
    const deep = JSON.parse(`${'{"a":'.repeat(100)}{}${'}'.repeat(100)}`) as object
    const tool = { type: 'function', function: { name: 'deep', parameters: deep } }
    expect(await refusal({ tools: [tool] })).toMatchObject({
      status: 400,
      param: 'tools[0].function.parameters',
    })
  })

  it('can be called by the model’s own choice on engines without grammars', async () => {
    const { choices } = await complete({ tools: [weather] }, { ...calling, capabilities: { grammar: false } })
    expect(choices[0]!.finish_reason).toBe('tool_calls')
  })
})

describe('response_format', () => {
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

  it('json_schema and json_object are enforced by a grammar', async () => {
    const bySchema = await complete({
      response_format: { type: 'json_schema', json_schema: { name: 'city', schema, strict: true } },
    })
    expect(JSON.parse(bySchema.choices[0]!.message.content!)).toEqual({ city: 'text' })
    const anyObject = await complete({ response_format: { type: 'json_object' } })
    expect(JSON.parse(anyObject.choices[0]!.message.content!)).toEqual({})
  })

  it('text changes nothing', async () => {
    expect((await complete({ response_format: { type: 'text' } }, paris)).choices[0]!.message.content).toBe(
      paris.reply(),
    )
  })

  it.each([
    [
      'response_format.json_schema.schema',
      { response_format: { type: 'json_schema', json_schema: { name: 'city', schema } } },
    ],
    ['tools', { tools: [weather], tool_choice: 'required' }],
  ])('is refused at %s if the engine rejects the grammar', async (param, body) => {
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

  it('is refused on engines without grammars', async () => {
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
