import { describe, expect, test } from 'vitest'
import { ToolCallFinder } from './tool-call-finder.ts'

const tools = [{ name: 'weather' }, { name: 'time' }]

function find(text: string, { forced = false, parallel = true, size = 1 } = {}) {
  const finder = new ToolCallFinder({ tools, forced, parallel })
  let words = ''
  for (let start = 0; start < text.length; start += size)
    words += finder.push(text.slice(start, start + size))
  const { content, toolCalls } = finder.finish()
  return {
    streamed: words,
    content: words + content,
    calls: toolCalls.map(({ name, arguments: args }) => [name, args]),
  }
}

const weather = '{"name": "weather", "arguments": {"city": "Paris"}}'
const call = ['weather', '{"city":"Paris"}']

describe('ToolCallFinder', () => {
  test('streams an answer in words', () => {
    expect(find('It is sunny in Paris.')).toEqual({
      streamed: 'It is sunny in Paris.',
      content: 'It is sunny in Paris.',
      calls: [],
    })
  })

  test.each([1, 2, 3, 7, 1000])('finds a call at the start, in pieces of %i characters', (size) => {
    expect(find(`<tool_call>\n${weather}\n</tool_call>`, { size })).toEqual({
      streamed: '',
      content: '',
      calls: [call],
    })
  })

  test.each([1, 2, 3, 7, 1000])('finds a call behind words, in pieces of %i characters', (size) => {
    const found = find(`Let me see. <tool_call>${weather}</tool_call>`, { size })
    expect(found.streamed).toBe('Let me see. ')
    expect(found.calls).toEqual([call])
    expect(found.content.trim()).toBe('Let me see.')
  })

  test('finds several calls, or only the first where one is allowed', () => {
    const two = `<tool_call>${weather}</tool_call><tool_call>{"name": "time", "arguments": {}}</tool_call>`
    expect(find(two).calls).toEqual([call, ['time', '{}']])
    expect(find(two, { parallel: false }).calls).toEqual([call])
  })

  test('gives JSON that is no call back as words', () => {
    expect(find('{"name": "unknown", "arguments": {}}')).toEqual({
      streamed: '',
      content: '{"name": "unknown", "arguments": {}}',
      calls: [],
    })
  })

  test('gives a forced call that was cut off back as words', () => {
    const cut = weather.slice(0, -3)
    expect(find(cut, { forced: true })).toEqual({ streamed: '', content: cut, calls: [] })
  })

  test('lets go of the beginning of a tag that is none', () => {
    expect(find('a <tool_b').content).toBe('a <tool_b')
  })
})
