import { describe, expect, it } from 'vitest'
import { cpuMs } from '../testing/cpu-time.ts'
import { InvalidRequestError } from '../errors.ts'
import { grammarInstance } from '../testing/schema-instance.ts'
import type { ToolDefinition } from './chat-template.ts'
import { parseToolCalls, toolCallGrammar } from './tool-calls.ts'

const weather: ToolDefinition = {
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}
const time: ToolDefinition = { name: 'get_time' }
const tools = [weather, time]
const parse = (text: string) => {
  let count = 0
  return parseToolCalls(text, tools, () => `call_${++count}`)
}

describe('toolCallGrammar', () => {
  it('allows a call of one of the functions, with its own arguments', () => {
    expect(toolCallGrammar(tools)).toMatchObject({
      type: 'json-schema',
      schema: {
        anyOf: [
          {
            properties: { name: { const: 'get_weather' }, arguments: { $ref: 'tools[0].parameters' } },
            required: ['name', 'arguments'],
          },
          { properties: { name: { const: 'get_time' }, arguments: { $ref: 'tools[1].parameters' } } },
        ],
      },
      documents: { 'tools[0].parameters': { schema: weather.parameters, strict: false } },
    })
  })

  it('allows only the function that was asked for, and lists where several calls are wanted', () => {
    const one = toolCallGrammar(tools, { name: 'get_time' })
    expect(one).toMatchObject({ schema: { properties: { name: { const: 'get_time' } } } })
    expect(Object.keys(one.documents!)).toEqual(['tools[1].parameters'])
    const several = toolCallGrammar(tools, { parallel: true })
    expect(several).toMatchObject({ schema: { type: 'array', minItems: 1, items: { anyOf: [{}, {}] } } })
  })

  it('refuses a function that is not in tools', () => {
    expect(() => toolCallGrammar(tools, { name: 'rm' })).toThrow(
      /'rm'; functions in tools: get_weather, get_time/,
    )
    expect(() => toolCallGrammar([])).toThrow(InvalidRequestError)
  })

  it.each([
    undefined,
    null,
    {},
    { type: 'object' },
    { type: 'object', properties: {} },
    { type: 'object', properties: {}, required: [], additionalProperties: false },
  ])('allows no arguments for functions without parameters: %j', (parameters) => {
    expect(toolCallGrammar([{ name: 'go', parameters }]).documents).toEqual({
      'tools[0].parameters': {
        schema: { type: 'object', properties: {}, additionalProperties: false },
        strict: false,
      },
    })
  })

  it.each([
    { type: 'object', additionalProperties: true },
    { type: 'object', properties: {}, additionalProperties: { type: 'string' } },
    { $ref: '#/$defs/a', $defs: { a: { type: 'object' } } },
    { anyOf: [{ type: 'object', properties: { a: {} } }] },
  ])('leaves other parameters unchanged: %j', (parameters) => {
    expect(toolCallGrammar([{ name: 'go', parameters, strict: true }]).documents).toEqual({
      'tools[0].parameters': { schema: parameters, strict: true },
    })
  })

  it('gives answers that parseToolCalls reads', () => {
    for (const parallel of [false, true]) {
      expect(parse(grammarInstance(toolCallGrammar(tools, { parallel })))).toEqual({
        content: '',
        toolCalls: [{ id: 'call_1', name: 'get_weather', arguments: '{"city":"text"}' }],
      })
    }
  })
})

describe('parseToolCalls', () => {
  it('reads the forms that models are trained on', () => {
    const expected = {
      content: '',
      toolCalls: [{ id: 'call_1', name: 'get_weather', arguments: '{"city":"Rome"}' }],
    }
    expect(parse('{"name": "get_weather", "arguments": {"city": "Rome"}}')).toEqual(expected)
    expect(
      parse('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>'),
    ).toEqual(expected)
    expect(parse('<|python_tag|>{"name": "get_weather", "parameters": {"city": "Rome"}}')).toEqual(expected)
    expect(parse('[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Rome"}}]')).toEqual(expected)
    expect(parse('```json\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n```')).toEqual(expected)
  })

  it.each([
    // Llama 3.1
    ['<function=get_weather>{"city": "Rome"}</function>'],
    // Qwen3-Coder
    ['<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n</function>\n</tool_call>'],
    // Mistral since its eleventh tokenizer, with its control tokens and without them
    ['[TOOL_CALLS]get_weather[ARGS]{"city": "Rome"}'],
    ['[TOOL_CALLS]get_weather[CALL_ID]a1B2c3D4e[ARGS]{"city": "Rome"}'],
    ['get_weather{"city": "Rome"}'],
    // Llama 3.2 and 4
    ['[get_weather(city="Rome")]'],
    ["<|python_start|>[get_weather(city='Rome',)]<|python_end|>"],
  ])('reads %s, which names the function first', (text) => {
    expect(parse(text)).toEqual({
      content: '',
      toolCalls: [{ id: 'call_1', name: 'get_weather', arguments: '{"city":"Rome"}' }],
    })
  })

  it('reads several calls that name their functions first, with values of every type', () => {
    const numbers = {
      name: 'add',
      parameters: {
        type: 'object',
        properties: {
          a: { type: 'integer' },
          note: { type: 'string' },
          on: { type: 'boolean' },
          list: { type: 'array' },
        },
      },
    }
    const callsOf = (text: string) =>
      parseToolCalls(text, [...tools, numbers]).toolCalls.map(({ name, arguments: args }) => [
        name,
        JSON.parse(args),
      ])
    const values = { a: 12, note: '7 < 8', on: true, list: [1, null, { x: 'é"' }] }
    expect(
      callsOf(`[add(a=12, note='7 < 8', on=True, list=[1, None, {"x": "\\u00e9\\""}]), get_time()]`),
    ).toEqual([
      ['add', values],
      ['get_time', {}],
    ])
    const element = (key: string, value: string): string => `<parameter=${key}>\n${value}\n</parameter>\n`
    const add = `<function=add>\n${element('a', '12')}${element('note', '7 < 8')}${element('on', 'True')}${element('list', '[1, null, {"x": "é\\""}]')}</function>`
    expect(
      callsOf(
        `I add.\n<tool_call>\n${add}\n</tool_call>\n<tool_call>\n<function=get_time>\n</function>\n</tool_call>`,
      ),
    ).toEqual([
      ['add', values],
      ['get_time', {}],
    ])
    expect(callsOf('[TOOL_CALLS]get_time[ARGS]{}[TOOL_CALLS]get_weather[ARGS]{"city": "}"}')).toEqual([
      ['get_time', {}],
      ['get_weather', { city: '}' }],
    ])
  })

  it('keeps the words around calls, and several calls in order', () => {
    const { content, toolCalls } = parse(
      'Let me look.\n<tool_call>{"name":"get_time"}</tool_call>\n<tool_call>{"name":"get_weather","arguments":{"city":"a } \\" ] b"}}</tool_call>',
    )
    expect(content).toBe('Let me look.')
    expect(toolCalls.map(({ name, arguments: args }) => [name, JSON.parse(args)])).toEqual([
      ['get_time', {}],
      ['get_weather', { city: 'a } " ] b' }],
    ])
  })

  it('leaves text that is not a call unchanged', () => {
    for (const text of [
      'Plain words.',
      '{"name": "unknown", "arguments": {}}',
      '{"name": "get_weather", "arguments": "Rome"}',
      '{"name": "get_weather", "arguments": {"city": ',
      '[{"name": "get_time"}, 5]',
      'Use {braces} and [1, 2, 3] and ```code```',
      '<function=unknown>{}</function>',
      '<function=get_time>',
      'get_weather {city}',
      '[get_weather(city=__import__("os"))]',
      '[get_weather(city="Rome"',
      `[get_weather(city=${'['.repeat(500)}`,
    ]) {
      expect(parse(text)).toEqual({ content: text, toolCalls: [] })
    }
  })

  it('creates an id for each call', () => {
    const ids = parseToolCalls('{"name":"get_time"}{"name":"get_time"}', tools).toolCalls.map(({ id }) => id)
    expect(ids).toEqual([expect.stringMatching(/^call_[0-9a-f]{24}$/), expect.stringMatching(/^call_/)])
    expect(new Set(ids).size).toBe(2)
  })

  it('stays fast on a text of brackets', () => {
    const started = cpuMs()
    parse('[{'.repeat(100_000))
    expect(cpuMs() - started).toBeLessThan(10_000)
  })
})
