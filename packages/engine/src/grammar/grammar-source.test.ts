import { describe, expect, it } from 'vitest'
import { nativeGrammar } from '../../../llama/src/testing/native-grammar.ts'
import { grammarSource } from './grammar-source.ts'

describe('grammarSource', () => {
  const documents = {
    'tools[0]': {
      schema: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { const: 1 } } },
    },
    'tools[1]': {
      schema: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { const: 2 } } },
    },
  }

  it('resolves references within each document', async () => {
    const schema = { anyOf: [{ $ref: 'tools[0]' }, { type: 'array', items: { $ref: 'tools[1]' } }] }
    const grammar = await nativeGrammar(grammarSource({ type: 'json-schema', schema, documents }))
    expect(grammar.accepts('{"a":1}')).toBe(true)
    expect(grammar.accepts('{"a":2}')).toBe(false)
    expect(grammar.accepts('[{"a":2}]')).toBe(true)
  })

  it('combines forms, each between its own texts', async () => {
    const grammar = await nativeGrammar(
      grammarSource({
        type: 'either',
        forms: [
          {
            before: '<tool_call>\n',
            grammar: { type: 'json-schema', schema: { const: 1 } },
            after: '</tool_call>',
          },
          { grammar: { type: 'json-schema', schema: { type: 'boolean' } } },
        ],
      }),
    )
    expect(grammar.accepts('<tool_call>\n1</tool_call>')).toBe(true)
    expect(grammar.accepts('true')).toBe(true)
    expect(grammar.accepts('1')).toBe(false)
  })

  it('compiles regular expressions', async () => {
    const grammar = await nativeGrammar(grammarSource({ type: 'regex', pattern: 'yes|no+"\\n' }))
    expect(grammar.accepts('yes')).toBe(true)
    expect(grammar.accepts('noo"\n')).toBe(true)
    expect(grammar.accepts('yes!')).toBe(false)
    for (const [pattern, message] of [
      ['(', /not valid in ECMAScript/],
      ['(a)\\1', /can't be enforced/],
      ['(a?){500}a{500}', /work limit/],
      ['a(?!)', /no text matches/],
    ] as const)
      expect(() => grammarSource({ type: 'regex', pattern })).toThrow(message)
  })
})
