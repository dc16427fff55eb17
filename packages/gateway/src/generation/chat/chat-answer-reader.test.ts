import { describe, expect, it } from 'vitest'
import { ChatAnswerReader } from './chat-answer-reader.ts'
import type { ChatPart } from './chat-part.ts'

const tools = [{ name: 'weather' }, { name: 'time' }]

function find(text: string, { forced = false, parallel = true, size = 1 } = {}) {
  const reader = new ChatAnswerReader({ reasoning: 'keep', tools: { tools, forced, parallel } })
  const streamed: ChatPart[] = []
  for (let start = 0; start < text.length; start += size)
    streamed.push(...reader.push(text.slice(start, start + size)))
  const all = [...streamed, ...reader.finish()]
  return { streamed: contentOf(streamed), content: contentOf(all), calls: callsOf(all), parts: all }
}

const contentOf = (parts: readonly ChatPart[]) =>
  parts.map((part) => (part.type === 'content' ? part.text : '')).join('')

function callsOf(parts: readonly ChatPart[]) {
  const calls: [name: string, args: string][] = []
  for (const part of parts) {
    if (part.type === 'tool-call') calls[part.index] = [part.name, '']
    if (part.type === 'tool-arguments') calls[part.index]![1] += part.text
  }
  return calls
}

const weather = '{"name": "weather", "arguments": {"city": "Paris"}}'
const call = ['weather', '{"city":"Paris"}']

describe('calls in an answer', () => {
  it('streams an answer in words', () => {
    expect(find('It is sunny in Paris.')).toMatchObject({
      streamed: 'It is sunny in Paris.',
      content: 'It is sunny in Paris.',
      calls: [],
    })
  })

  it.each([1, 2, 3, 7, 1000])('finds a call at the start, in pieces of %i characters', (size) => {
    expect(find(`<tool_call>\n${weather}\n</tool_call>`, { size })).toMatchObject({
      streamed: '',
      content: '',
      calls: [call],
    })
  })

  it.each([1, 2, 3, 7, 1000])('finds a call after words, in pieces of %i characters', (size) => {
    const found = find(`Let me see. <tool_call>${weather}</tool_call>`, { size })
    expect(found.streamed).toBe('Let me see. ')
    expect(found.calls).toEqual([call])
    expect(found.content.trim()).toBe('Let me see.')
  })

  it('finds several calls, or only the first where one is allowed', () => {
    const two = `<tool_call>${weather}</tool_call><tool_call>{"name": "time", "arguments": {}}</tool_call>`
    expect(find(two).calls).toEqual([call, ['time', '{}']])
    expect(find(two, { parallel: false }).calls).toEqual([call])
  })

  const long = `{"city":"${'Paris and '.repeat(20)}"}`
  it.each([
    `<tool_call>\n{"name": "weather", "arguments": ${long}}\n</tool_call>`,
    `Words.<tool_call>{"name": "weather", "arguments": ${long}, "id": "x}"}</tool_call>`,
    `{"name": "weather", "parameters": ${long}}`,
    `[TOOL_CALLS] [{"name": "weather", "arguments": ${long}}]`,
    `[TOOL_CALLS]weather[ARGS]${long}`,
    `weather[CALL_ID]123456789[ARGS]${long}`,
    `<function=weather>${long}</function>`,
    `\`\`\`json\n{"name": "weather", "arguments": ${long}}\n\`\`\``,
  ])('passes the arguments of %j on as they arrive', (text) => {
    for (const size of [1, 3, 10]) {
      const found = find(text, { size })
      expect(found).toMatchObject({
        content: text.startsWith('Words.') ? 'Words.' : '',
        calls: [['weather', long]],
      })
      expect(found.parts.filter(({ type }) => type === 'tool-arguments').length).toBeGreaterThan(15)
    }
  })

  it.each([1, 4, 1000])(
    'passes on several calls, and the words after them, in pieces of %i characters',
    (size) => {
      const time = '{"name": "time", "arguments": {"zone": [1, {"a": "]}"}]}}'
      const calls = [call, ['time', '{"zone":[1,{"a":"]}"}]}']]
      expect(
        find(`<tool_call>${weather}</tool_call>\n<tool_call>${time}</tool_call>\nDone.`, { size }),
      ).toMatchObject({
        calls,
        content: 'Done.',
      })
      expect(find(`[${weather}, ${time}]`, { size }).calls).toEqual(calls)
      expect(find(`${weather}\n${time}`, { size, parallel: false }).calls).toEqual([call])
      expect(
        find(`${weather}\n<function=time><parameter=zone>\nUTC\n</parameter></function>`, { size }).calls,
      ).toEqual([call, ['time', '{"zone":"UTC"}']])
    },
  )

  it('keeps the arguments so far of a call that was cut', () => {
    expect(find('<tool_call>{"name": "weather", "arguments": {"city": "Par')).toMatchObject({
      content: '',
      calls: [['weather', '{"city":"Par']],
    })
  })

  it('streams JSON and code as soon as they can’t be a call', () => {
    for (const text of [
      '{"name": "unknown", "arguments": {}}',
      '{"title": "x"}',
      '```python\nprint(1)\n```',
      '[1, 2]',
    ]) {
      expect(find(text)).toMatchObject({ streamed: text, content: text, calls: [] })
    }
    expect(find('{"name": "unknown", "arguments": {}}')).toMatchObject({
      content: '{"name": "unknown", "arguments": {}}',
      calls: [],
    })
  })

  it('releases the beginning of a tag that is not a tag', () => {
    expect(find('a <tool_b').content).toBe('a <tool_b')
  })
})

describe('a forced call', () => {
  const forced = { forced: true, parallel: false }
  const nested = '{"city": "a } \\" ] b", "days": [{"n": 1}, {}]}'

  it.each([1, 2, 3, 7, 1000])('streams its arguments as they arrive, in pieces of %i characters', (size) => {
    const found = find(` {"name": "weather",\n "arguments": ${nested} }\n`, { ...forced, size })
    expect(found).toMatchObject({ content: '', calls: [['weather', nested]] })
    const pieces = found.parts.filter(({ type }) => type === 'tool-arguments')
    expect(pieces.length).toBeGreaterThanOrEqual(Math.floor(nested.length / size))
  })

  it('has the arguments so far if it was cut', () => {
    expect(find('{"name": "weather", "arguments": {"city": "Par', forced)).toMatchObject({
      content: '',
      calls: [['weather', '{"city": "Par']],
    })
  })

  it('has no parts if it was cut before its name: half a call is not words', () => {
    expect(find('{"name": "wea', forced)).toMatchObject({ content: '', calls: [] })
    expect(find(`[${weather}, {"na`, { forced: true, parallel: true })).toMatchObject({
      content: '',
      calls: [call],
    })
  })

  it('may be one of several', () => {
    const list = `[${weather}, {"name": "time", "arguments": {}}]`
    expect(find(list, { forced: true, parallel: true }).calls).toEqual([call, ['time', '{}']])
  })
})
