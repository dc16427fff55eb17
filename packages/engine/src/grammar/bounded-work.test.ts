import type { Grammar } from '../engine.ts'
import { InvalidRequestError } from '../errors.ts'
import { toolCallGrammar } from '../chat/tool-calls.ts'
import { describe, expect, it } from 'vitest'
import { nativeGrammar } from '../../../llama/src/testing/native-grammar.ts'
import { grammarSource } from './grammar-source.ts'

const list = <Item>(length: number, make: (index: number) => Item): Item[] =>
  Array.from({ length }, (_, index) => make(index))
const namesOf = (count: number, value: unknown) => Object.fromEntries(list(count, (i) => [`p${i}`, value]))
const sourceOf = (schema: unknown, strict = false) => grammarSource({ type: 'json-schema', schema, strict })

/** Returns the message of the client's error; undefined if the grammar is accepted. */
function refusalOf(grammar: Grammar): string | undefined {
  try {
    grammarSource(grammar)
  } catch (error) {
    if (error instanceof InvalidRequestError) return error.message
    throw error
  }
  return undefined
}

/** A backtracking engine tries all ways to divide the letters: their number doubles with each letter, which takes hours here. */
const evilPattern = '^(a+)+$'
const evilText = `${'a'.repeat(60)}b`

describe('patterns of clients are matched with names and values of clients', () => {
  it('in linear time', () => {
    expect(() => sourceOf({ enum: [evilText], pattern: evilPattern })).toThrow('no value that fits')
    const properties = { [evilText]: { type: 'null' } }
    expect(sourceOf({ type: 'object', properties, patternProperties: { [evilPattern]: {} } })).toContain('b')
    expect(sourceOf({ type: 'object', properties, propertyNames: { pattern: evilPattern } })).not.toContain(
      'b\\"',
    )
  })

  it('with the same results as RegExp', async () => {
    const values = ['ab', 'b', 'ca', 'x\ny', 'xb', 7]
    const { accepts } = await nativeGrammar(sourceOf({ enum: values, pattern: 'a|^b|y$' }))
    expect(values.filter((value) => accepts(JSON.stringify(value)))).toEqual(['ab', 'b', 'ca', 'x\ny', 7])
  })

  it('and refused if they are invalid, or can’t be enforced in a strict schema', () => {
    expect(() => sourceOf({ enum: ['a'], pattern: '(' })).toThrow(InvalidRequestError)
    expect(() => sourceOf({ enum: ['aa'], pattern: '(a)\\1' }, true)).toThrow('$.pattern')
    expect(sourceOf({ enum: ['aa'], pattern: '(a)\\1' })).toContain('aa')
  })
})

it('compiles oneOf of many single values to a grammar of their length, without repeated values', async () => {
  const source = sourceOf({
    oneOf: [...list(1000, (i) => ({ const: `v${i}`, title: 'a value' })), { const: 'v7' }],
  })
  const { accepts } = await nativeGrammar(source)
  expect(['"v6"', '"v7"', '"v999"'].map(accepts)).toEqual([true, false, true])
})

it('makes oneOf of values exclusive against other alternatives that contain them', async () => {
  const { accepts } = await nativeGrammar(
    sourceOf({ oneOf: [{ const: 3 }, { enum: [3, 5] }, { type: 'integer', minimum: 4 }] }),
  )
  expect(['3', '4', '5', '6'].map(accepts)).toEqual([false, true, false, true])
})

describe('a schema that exceeds the work limit of a request is refused', () => {
  const scripts = 'Adlam Ahom Arabic Armenian Balinese Bengali Cyrillic Greek Han Hangul Hebrew Khmer'.split(
    ' ',
  )
  it.each<[name: string, grammar: Grammar]>([
    [
      'counts of many properties',
      {
        type: 'json-schema',
        schema: { type: 'object', properties: namesOf(1000, {}), minProperties: 500, maxProperties: 700 },
      },
    ],
    [
      'counts of many distinct items',
      {
        type: 'json-schema',
        schema: {
          type: 'array',
          uniqueItems: true,
          minItems: 100,
          maxItems: 150,
          items: { enum: list(200, (i) => i) },
        },
      },
    ],
    [
      'long lists of long lists',
      {
        type: 'json-schema',
        schema: {
          allOf: [
            { enum: list(20_000, (i) => i) },
            { anyOf: list(2000, (i) => ({ title: `${i}`, not: { const: i } })) },
          ],
        },
      },
    ],
    [
      'names of a long list',
      {
        type: 'json-schema',
        schema: {
          required: list(50_000, (i) => `p${i}`),
          propertyNames: { enum: list(50_000, (i) => `p${i}`) },
        },
      },
    ],
    [
      'classes of Unicode',
      { type: 'regex', pattern: scripts.map((name) => `\\p{Script_Extensions=${name}}`).join('') },
    ],
    ['classes that are long to write', { type: 'regex', pattern: '[\\p{L}_]'.repeat(300) }],
  ])('%s', (_name, grammar) => {
    expect(refusalOf(grammar)).toMatch(/too large|exceeds the work limit/)
  })
})

it('writes the calls of many functions once, although they are allowed with and without a frame', async () => {
  const parameters = {
    type: 'object',
    properties: {
      path: { type: 'string' },
      line: { type: 'integer', minimum: 1 },
      tags: { items: { enum: ['a', 'b'] } },
    },
    required: ['path'],
  }
  const tools = list(80, (i) => ({ name: `tool_${i}`, parameters }))
  const call = toolCallGrammar(tools, { parallel: true })
  const framed = { before: '<tool_call>\n', grammar: call, after: '\n</tool_call>' }
  const source = grammarSource({
    type: 'either',
    forms: [framed, { grammar: call }, { grammar: { type: 'json-object' } }],
  })
  expect(source.length).toBeLessThan(1.1 * grammarSource(call).length)
  const { accepts } = await nativeGrammar(source)
  const text = '[{"name":"tool_79","arguments":{"path":"x","line":3}}]'
  expect([text, `<tool_call>\n${text}\n</tool_call>`, '{"a":1}', '[]'].map(accepts)).toEqual([
    true,
    true,
    true,
    false,
  ])
})
