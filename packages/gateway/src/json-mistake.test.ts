import fc from 'fast-check'
import { cpuMs } from '@petals-chat/engine/testing'
import { describe, expect, it } from 'vitest'
import { describeJsonMistake, findJsonMistake } from './json-mistake.ts'

function refusalOf(text: string): SyntaxError | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return error as SyntaxError
  }
}

const mistakeOf = (text: string): string => describeJsonMistake(text, refusalOf(text)!)

describe('the mistake in a text that is not JSON', () => {
  it.each([
    ['{"a": [1, 2,]}', 12],
    ['{"a": 1,}', 8],
    ['{"temperature": NaN}', 16],
    ['{"temperature": -Infinity}', 17],
    ['// a comment\n{}', 0],
    ['{"a": undefined}', 6],
    ['hello', 0],
    ['model=a&prompt=b', 0],
    ['[object Object]', 1],
    ['undefined', 0],
    ["{'a': 1}", 1],
    ['{"a" 1}', 5],
    ['{"a": 1} {}', 9],
    ['{"a": 1 "b": 2}', 8],
    ['[1 2]', 3],
    ['[01]', 2],
    ['{"a": True}', 6],
    ['{"a\\"b]": "c}", "d": ]}', 21],
    ['[}', 1],
    ['{"a": "b", ]', 11],
    ['at position 5', 0],
    ['{"a": at position 99', 6],
  ])('%j is at position %i', (text, position) => {
    expect(mistakeOf(text)).toMatch(new RegExp(`^at position ${position} \\(line`))
  })

  it.each(['{', '{"a"', '{"a":', '{"a": 1', '[', '[1,', '{"a": {"b": [true', '"a'])(
    'of %j is that it ends too early',
    (text) => {
      expect(mistakeOf(text)).toBe('it ends too early')
    },
  )

  it('has its line and column', () => {
    expect(mistakeOf('{\n  "messages": ["a"],\n}')).toBe('at position 23 (line 3 column 1)')
  })

  it('is that it is empty, or only spaces', () => {
    expect(mistakeOf('')).toBe('it is empty')
    expect(mistakeOf(' \n')).toBe('it is empty')
  })

  it('is never told with words of the text', () => {
    for (const text of [
      'secret',
      '{"a": secret}',
      '["x", secret, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]',
    ])
      expect(mistakeOf(text)).not.toContain('secret')
  })

  it('is found where the parser finds it, in any text', () => {
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      ' ',
      '"a"',
      '1',
      '-',
      'true',
      'NaN',
      '\n',
      '/',
    )
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        const text = tokens.join('')
        const message = refusalOf(text)?.message
        if (message === undefined) return
        const position = findJsonMistake(text)
        // A number that is cut off is told from its end, and here from its begin.
        const told = /at position (\d+)/.exec(message)?.[1]
        if (told !== undefined && !/number|minus/.test(message)) expect(position).toBe(Number(told))
        if (message.includes('Unexpected end')) expect(position).toBe(text.length)
        const token = /Unexpected token '(.)'/su.exec(message)?.[1]
        if (token !== undefined) expect(text.slice(position, position + 3)).toContain(token)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is found in a time that grows with the length', () => {
    const start = cpuMs()
    expect(findJsonMistake(`[${'"\\\\a", '.repeat(500_000)}]`)).toBe(1 + 7 * 500_000)
    expect(findJsonMistake('['.repeat(2_000_000))).toBe(2_000_000)
    expect(cpuMs() - start).toBeLessThan(5_000)
  })
})
