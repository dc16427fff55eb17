import { describe, expect, it } from 'vitest'
import {
  argumentsText,
  hasOpenCalls,
  shortArguments,
  type ToolCall,
  type ToolCallState,
} from './tool-calls.ts'

const sent = (text: string) => argumentsText({ arguments: text })

describe('what a reader consents to', () => {
  it('is what is sent: parsed, and nothing of it hidden', () => {
    expect(sent('{"a":1,"a":{"b":[2]}}')).toBe('{\n  "a": {\n    "b": [\n      2\n    ]\n  }\n}')
    expect(sent('')).toBe('{}')
    expect(sent('[1]')).toBe('[1]')
  })

  it.each([
    ['right-to-left override', '\u202e'],
    ['zero-width space', '\u200b'],
    ['tag characters', '\u{e0041}'],
    ['variation selectors', '\ufe0f'],
    ['more variation selectors', '\u{e0101}'],
    ['Hangul filler', '\u3164'],
    ['line separator', '\u2028'],
    ['half a character', '\ud800'],
    ['carriage return', '\r'],
    ['escape', '\u001b'],
  ])('shows a %s', (_name, char) => {
    const shown = sent(JSON.stringify({ to: `a${char}b` }))
    expect(shown).toMatch(/^\{\n {2}"to": "a\\(?:u\{?[0-9a-f]+\}?|r)b"\n\}$/)
    expect(shown).not.toContain(char)
  })

  it('keeps the letters of all languages', () => {
    const text = 'Übergröße, 東京, مرحبا, नमस्ते, 🌷'
    expect(sent(JSON.stringify({ text }))).toContain(text)
  })
})

it.each([
  ['{"expression":"12*7"}', '12*7'],
  ['{"city":"Ulm","days":3}', 'city: Ulm, days: 3'],
  ['{"list":["a"]}', '["a"]'],
  ['{}', ''],
  ['not JSON', 'not JSON'],
  [JSON.stringify({ text: `a\n${'b'.repeat(100)}` }), `a ${'b'.repeat(58)}…`],
])('%s is told as %j', (text, words) => expect(shortArguments({ arguments: text })).toBe(words))

it.each<[ToolCallState[], boolean]>([
  [[], false],
  [['writing'], false],
  [['waiting', 'writing'], false],
  [['asking', 'done'], true],
  [['done'], true],
])('calls that are %j stand open: %s', (states, open) => {
  const calls = states.map((state): ToolCall => ({ id: 'c', name: 'n', arguments: '', state }))
  expect(hasOpenCalls(calls)).toBe(open)
})
