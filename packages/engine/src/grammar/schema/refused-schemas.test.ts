import { InvalidRequestError } from '../../errors.ts'
import { describe, expect, it } from 'vitest'
import { nativeGrammar } from '../../../../llama/src/testing/native-grammar.ts'
import { grammarSource } from '../grammar-source.ts'

describe('an unusable schema', () => {
  const refused: ReadonlyArray<readonly [message: RegExp, schema: unknown]> = [
    [/\$ must be a schema/, 7],
    [/\$ must be a schema/, null],
    [/\$ is false/, false],
    [/\$\.type is not a type of JSON: "text"/, { type: 'text' }],
    [/\$\.properties\.a\.type is not a type/, { properties: { a: { type: 'int' } } }],
    [/\$\.properties must be an object/, { properties: [] }],
    [/\$\.required must be a list/, { required: 'a' }],
    [/\$\.enum must be a list/, { enum: [] }],
    [/\$\.anyOf must be a list/, { anyOf: {} }],
    [/\$\.items\.not can't be enforced/, { type: 'array', items: { not: { format: 'date' } } }],
    [/\$\.uniqueItems can only be enforced/, { type: 'array', uniqueItems: true }],
    [/\$\.maxContains can't be enforced/, { type: 'array', contains: {}, maxContains: 2 }],
    [/\$\.minProperties can only be enforced/, { type: 'object', minProperties: 3 }],
    [/\$\.multipleOf can be enforced up to 1000/, { type: 'integer', multipleOf: 4321 }],
    [/\$\.\$ref must point into the schema/, { $ref: 'https://example.com/x' }],
    [/\$\.\$ref points to nothing/, { $ref: '#/$defs/none' }],
    [/\$\.\$ref has an invalid escape/, { $ref: '#/%' }],
    [/\$ has minItems above maxItems/, { type: 'array', minItems: 3, maxItems: 1 }],
    [/\$ has minLength 2000000, which is longer than any answer/, { type: 'string', minLength: 2_000_000 }],
    [/\$\.minLength must be a whole number/, { type: 'string', minLength: -1 }],
    [/\$\.pattern is not a regular expression/, { pattern: '(' }],
    [/\$\.pattern contains what can't be enforced here \(look-behind/, { pattern: '(?<=a)b' }],
    [/\$\.pattern contains what can't be enforced here \(\\1\)/, { pattern: '(a)\\1' }],
    [
      /\$\.properties\.a\.pattern exceeds the work limit/,
      { properties: { a: { pattern: '^(a?){500}a{500}$' } } },
    ],
    [/\$\.pattern exceeds the work limit/, { pattern: '^((a{30}){30}){30}$' }],
    [/\$\.pattern exceeds the work limit/, { pattern: '(a|b)*a(a|b){20}$' }],
    [/\$ allows no text/, { pattern: '(?=a)b' }],
    [/\$ allows no number/, { type: 'integer', minimum: 3, maximum: 2 }],
    [/\$ allows no number/, { type: 'number', exclusiveMinimum: 2, maximum: 2 }],
    [/\$\.minimum is beyond 10\^16/, { type: 'integer', minimum: 1e17 }],
    [/contradicts/, { allOf: [{ const: 1 }, { const: 2 }] }],
    [/has no value that fits/, { type: 'string', enum: [1, 2] }],
    [/two types at once/, { allOf: [{ type: 'string' }, { type: 'integer' }] }],
    [/refers to itself/, { anyOf: [{ $ref: '#' }] }],
    [/\$\.properties\.a is false: no value fits it/, { properties: { a: false }, required: ['a'] }],
    [/nested more than 150 levels/, nested(200)],
  ]

  for (const [message, schema] of refused) {
    it(`is refused: ${String(message)}`, () => {
      const convert = () => grammarSource({ type: 'json-schema', schema })
      expect(convert).toThrow(InvalidRequestError)
      expect(convert).toThrow(message)
    })
  }

  it('is refused soon if its grammar grows exponentially', () => {
    const pairs = Array.from({ length: 25 }, (_, index) => ({
      anyOf: [{ properties: { [`a${index}`]: {} } }, { properties: { [`b${index}`]: {} } }],
    }))
    expect(() => grammarSource({ type: 'json-schema', schema: { type: 'object', allOf: pairs } })).toThrow(
      /\$ is too large/,
    )
  })

  it('is compiled where equal alternatives could grow exponentially', async () => {
    const $defs = Object.fromEntries(
      Array.from({ length: 25 }, (_, level) => {
        const below = { $ref: `#/$defs/d${level + 1}` }
        return [`d${level}`, { type: 'object', anyOf: [below, { title: 'again', ...below }] }]
      }),
    )
    const schema = { $ref: '#/$defs/d0', $defs: { ...$defs, d25: {} } }
    const grammar = await nativeGrammar(grammarSource({ type: 'json-schema', schema }))
    expect(grammar.accepts('{"a":1}')).toBe(true)
  })

  it('is refused if it is not plain JSON', () => {
    const loop: Record<string, unknown> = {}
    loop.properties = { loop }
    expect(() => grammarSource({ type: 'json-schema', schema: loop })).toThrow(/plain JSON/)
  })
})

describe('a schema that is not strict', () => {
  const relaxed: ReadonlyArray<readonly [schema: unknown, good: unknown, bad: unknown]> = [
    [{ type: 'array', uniqueItems: true, items: { type: 'string' } }, ['a', 'a'], [1]],
    [{ type: 'string', pattern: '(?<=a)b', maxLength: 2 }, 'xy', 'xyz'],
    [{ type: 'string', pattern: '^(a?){500}a{500}$' }, 'x', 1],
    [{ type: 'integer', multipleOf: 4321 }, 1, 1.5],
    [{ type: 'object', minProperties: 3 }, { a: 1 }, 1],
    [{ type: 'string', not: { format: 'date' } }, 'x', 1],
  ]

  for (const [schema, good, bad] of relaxed) {
    it(`enforces what a grammar can express: ${JSON.stringify(schema)}`, async () => {
      const grammar = await nativeGrammar(grammarSource({ type: 'json-schema', schema, strict: false }))
      expect(grammar.accepts(JSON.stringify(good))).toBe(true)
      expect(grammar.accepts(JSON.stringify(bad))).toBe(false)
    })
  }

  it('is still refused if it is invalid', () => {
    const convert = () =>
      grammarSource({ type: 'json-schema', schema: { type: 'int' }, strict: false, name: 'tools[3]' })
    expect(convert).toThrow(/in 'tools\[3\]' can't be used: \$\.type is not a type/)
    expect(convert).toThrow(expect.objectContaining({ param: 'tools[3]' }))
  })
})

function nested(depth: number): unknown {
  return depth === 0 ? {} : { type: 'array', items: nested(depth - 1) }
}
