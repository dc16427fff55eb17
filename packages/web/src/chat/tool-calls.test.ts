import { describe, expect, it } from 'vitest'
import {
  argumentsText,
  hasOpenCalls,
  shortArguments,
  type ToolCall,
  type ToolCallState,
  isolated,
  newCallId,
  quotableName,
  splitIsolated,
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

describe('names and texts of others in sentences of the page', () => {
  it('can’t end a quotation, nor change the order of the words around them', () => {
    expect(quotableName('clock” of “builtin”?\nReally \u202esafe')).toBe(
      "clock' of 'builtin'? Really \\u{202e}safe",
    )
    expect(quotableName('„Uhr“ «a» "b"')).toBe("'Uhr' 'a' 'b'")
  })

  it('are split from the words of the page', () => {
    const sentence = `Asked ${isolated('a\u2069\u202eb')} → ${isolated('c')}.`
    expect(splitIsolated(sentence)).toEqual(['Asked ', 'a\\u{2069}\\u{202e}b', ' → ', 'c', '.'])
  })
})

describe('newCallId', () => {
  it('differs for each call of an answer, in nine letters and digits', () => {
    const ids = Array.from({ length: 400 }, (_, number) => newCallId(Math.floor(number / 20), number % 20))
    expect(new Set(ids.map((id) => id.slice(0, 4))).size).toBe(400)
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]{9}$/)
  })
})
