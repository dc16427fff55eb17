import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cpuMs } from '../testing/cpu-time.ts'
import { ToolCallScanner } from './tool-call-scanner.ts'
import { parseToolCalls } from './tool-calls.ts'

const tools = [{ name: 'get_weather' }, { name: 'get_time' }]
const names = tools.map(({ name }) => name)

/** Returns what is streamed of an answer in these pieces, and what is known at its end. */
function scan(pieces: readonly string[]) {
  const scanner = new ToolCallScanner(names)
  const streamed = pieces.map((piece) => scanner.push(piece)).join('')
  const { text, mayHoldCalls } = scanner.finish()
  let count = 0
  const { content, toolCalls } = mayHoldCalls
    ? parseToolCalls(text, tools, () => String(count++))
    : { content: text, toolCalls: [] }
  return { streamed, content: streamed + content, toolCalls }
}

const weather = '{"name": "get_weather", "arguments": {"city": "Rome"}}'

/** Returns the shortest beginning of an answer after which something is streamed. */
function firstWords(text: string): string {
  const scanner = new ToolCallScanner(names)
  let begin = ''
  for (const char of text) {
    begin += char
    if (scanner.push(char) !== '') return begin
  }
  return text
}

describe('ToolCallScanner', () => {
  it.each([
    ['Sure.', 'S'],
    ['<p>', '<p'],
    ['```python\nprint(1)\n```', '```p'],
    ['```json\nHello', '```json\nH'],
    ['```json\n{"title": "x"}\n```', '```json\n{"ti'],
    ['{"title": "a long one"}', '{"ti'],
    ['{ return 1 }', '{ r'],
    ['{"name": "Alice", "age": 5}', '{"name": "A'],
    ['{"name": 5}', '{"name": 5'],
    ['[1, 2, 3]', '[1'],
    ['["a"]', '["'],
    ['[TODO] x', '[TOD'],
    ['get_weather is a function', 'get_weather i'],
    ['[get_weather] is it', '[get_weather]'],
    ['[gets]', '[gets'],
    ['[{"id": 1}, {"id": 2}]', '[{"id": 1}, {"id": 2}]'],
    ['{}', '{}'],
  ])('streams %j from %j on', (text, begin) => {
    expect(firstWords(text)).toBe(begin)
    expect(scan([...text])).toMatchObject({ content: text, toolCalls: [] })
  })

  it.each([
    weather,
    ` \n${weather}`,
    `<tool_call>\n${weather}\n</tool_call>`,
    `<|python_tag|>{"name": "get_weather", "parameters": {"city": "Rome"}}`,
    `[TOOL_CALLS] [${weather}]`,
    `\`\`\`json\n${weather}\n\`\`\``,
    `{"id": "x", "type": "function", "arguments": {"a": [{"b": "}"}]}, "name": "get_weather"}`,
    `{"thought": "I need it.", "name": "get_time"}`,
    `[${weather}, {"name": "get_time"}]`,
    `[${weather}, {"name"`,
    `${weather}${weather}`,
    '<function=get_weather>{"city": "Rome"}</function>',
    '<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n</function>\n</tool_call>',
    '[TOOL_CALLS]get_weather[ARGS]{"city": "Rome"}',
    'get_weather[ARGS]{"city": "Rome"}',
    'get_time{}',
    '[get_weather(city="Rome"), get_time()]',
    '<|python_start|>[get_time()]<|python_end|>',
  ])('holds and finds the calls of %j, as the whole text has them', (text) => {
    const found = scan([...text])
    let count = 0
    expect(found.streamed).toBe('')
    expect(found).toMatchObject(parseToolCalls(text, tools, () => String(count++)))
    expect(found.toolCalls.length).toBeGreaterThan(0)
  })

  it('finds a call after text that is not a call', () => {
    for (const begin of [
      '{"title": "x"}\n',
      '```json\n{"a": 1}\n```\n',
      '```python\nprint()\n```\n',
      'Words. <tool_call>',
    ]) {
      expect(scan([...`${begin}${weather}`]).toolCalls).toMatchObject([{ name: 'get_weather' }])
    }
  })

  it('does not take JSON inside JSON for a call', () => {
    expect(scan([`{"title": ${weather}}`]).toolCalls).toEqual([])
  })

  it('gives the same result however the text is cut', () => {
    const part = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      ' ',
      '\n',
      '\\',
      '<',
      '<tool_call>',
      '</tool_call>',
      '[TOOL_CALLS]',
      '```',
      'json',
      '"name"',
      '"get_time"',
      '"arguments"',
      'a',
      '1',
      'true',
      weather,
      '{"name":"get_time"}',
      '<|python_tag|>',
      'get_time',
      '[ARGS]',
      '{}',
      '(',
      '()]',
      '<function=get_time>',
      '</function>',
      '{"a":',
      '```json\n',
    )
    const texts = fc.array(part, { maxLength: 14 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(texts, fc.array(fc.nat(60), { maxLength: 12 }), (text, cuts) => {
        const places = [
          0,
          ...cuts.filter((cut) => cut < text.length).sort((left, right) => left - right),
          text.length,
        ]
        const pieces = places.slice(1).map((end, index) => text.slice(places[index], end))
        const whole = scan([text])
        expect(scan(pieces)).toMatchObject({ content: whole.content, toolCalls: whole.toolCalls })
        expect(scan([...text])).toMatchObject({ content: whole.content, toolCalls: whole.toolCalls })
      }),
      { numRuns: 2000 },
    )
  })

  it('finds the calls of the whole text if it begins with a call', () => {
    const begins = fc.constantFrom(
      '',
      ' ',
      '<tool_call>',
      '```json\n',
      '```',
      '[TOOL_CALLS]',
      '<|python_tag|>',
    )
    const calls = fc.constantFrom(
      weather,
      `[${weather}]`,
      '{"name":"get_time"}',
      '{"arguments":{},"name":"get_time"}',
    )
    fc.assert(
      fc.property(begins, calls, fc.string(), (begin, call, rest) => {
        const text = begin + call + rest
        let count = 0
        const { toolCalls } = parseToolCalls(text, tools, () => String(count++))
        expect(scan([...text]).toolCalls).toEqual(toolCalls)
      }),
    )
  })

  it('stays fast on a text of brackets', () => {
    const started = cpuMs()
    scan(['[{'.repeat(100_000)])
    scan(['['.repeat(20_000), 'x'])
    expect(cpuMs() - started).toBeLessThan(10_000)
  })
})
