import { InvalidRequestError } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { nativeGrammar } from '../../testing/native-grammar.ts'
import { grammarSource } from '../grammar-source.ts'

interface Case {
  readonly schema: unknown
  readonly good: readonly unknown[]
  readonly bad: readonly unknown[]
}

const person = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    nick: { type: 'string' },
  },
  required: ['name', 'age'],
  additionalProperties: false,
}

/** Values that are answers of a schema, and values that are none. */
const cases: Readonly<Record<string, Case>> = {
  'any value': { schema: {}, good: [1, 'a', null, [1, { a: [] }], { b: 'c' }], bad: [] },
  'an object': { schema: { type: 'object' }, good: [{}, { a: 1, b: [null] }], bad: [1, [], 'x'] },
  properties: {
    schema: person,
    good: [
      { name: 'Ann', age: 0 },
      { name: '', age: 150, nick: 'x' },
    ],
    bad: [
      {},
      { name: 'Ann' },
      { age: 1 },
      { name: 'Ann', age: 151 },
      { name: 'Ann', age: -1 },
      { name: 'Ann', age: 1, x: 1 },
      { name: 1, age: 1 },
    ],
  },
  'optional properties in front, between and behind': {
    schema: { properties: { a: {}, b: { type: 'null' }, c: {}, d: {} }, required: ['b'], type: 'object' },
    good: [{ b: null }, { a: 1, b: null }, { b: null, d: 1 }, { a: 1, b: null, c: 2, d: 3 }],
    bad: [{}, { a: 1 }, { a: 1, c: 1 }, { b: 1 }],
  },
  'optional properties only': {
    schema: {
      properties: { a: { type: 'number' }, b: { type: 'number' } },
      type: 'object',
      additionalProperties: false,
    },
    good: [{}, { a: 1 }, { b: 1 }, { a: 1, b: 1 }],
    bad: [{ c: 1 }, { a: 'x' }],
  },
  'further properties': {
    schema: { properties: { a: { type: 'boolean' } }, additionalProperties: { type: 'integer' } },
    good: [{}, { a: true }, { a: true, x: 1, y: 2 }, { x: 1 }],
    bad: [{ a: true, x: 'no' }],
  },
  'a required property without a schema': { schema: { required: ['x'] }, good: [{ x: [1] }], bad: [{}] },
  enumerations: {
    schema: { enum: ['red', 'gr"een', 3, null, { a: [1] }] },
    good: ['red', 'gr"een', 3, null, { a: [1] }],
    bad: ['blue', 4, {}],
  },
  constants: { schema: { const: 'x\\y\n' }, good: ['x\\y\n'], bad: ['x'] },
  arrays: {
    schema: { type: 'array', items: { type: 'boolean' }, minItems: 1, maxItems: 3 },
    good: [[true], [true, false, true]],
    bad: [[], [true, true, true, true], [1]],
  },
  'an array of any length': {
    schema: { type: 'array', items: { type: 'null' } },
    good: [[], [null], [null, null]],
    bad: [[1]],
  },
  'an empty array': { schema: { type: 'array', maxItems: 0 }, good: [[]], bad: [[1]] },
  tuples: {
    schema: { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false },
    good: [['a', 1]],
    bad: [['a'], ['a', 1, 2], [1, 'a']],
  },
  'tuples with a tail': {
    schema: { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'integer' }, maxItems: 3 },
    good: [['a'], ['a', 1], ['a', 1, 2]],
    bad: [['a', 1, 2, 3], ['a', 'b'], []],
  },
  'lengths of texts': {
    schema: { type: 'string', minLength: 2, maxLength: 4 },
    good: ['ab', 'äöü€', '"\\\n/'],
    bad: ['a', 'abcde'],
  },
  'several types': { schema: { type: ['string', 'null'] }, good: ['x', null], bad: [1] },
  nullable: { schema: { type: 'integer', nullable: true }, good: [1, null], bad: ['x'] },
  alternatives: {
    schema: {
      anyOf: [
        { type: 'string', maxLength: 1 },
        { type: 'object', properties: { a: { const: 1 } }, required: ['a'] },
      ],
    },
    good: ['x', { a: 1 }],
    bad: ['xy', { a: 2 }],
  },
  'alternatives beside properties': {
    schema: {
      type: 'object',
      properties: { kind: { type: 'string' } },
      required: ['kind'],
      oneOf: [
        { properties: { kind: { const: 'a' }, x: { type: 'integer' } }, required: ['x'] },
        { properties: { kind: { const: 'b' } } },
      ],
    },
    good: [{ kind: 'a', x: 1 }, { kind: 'b' }],
    bad: [{ kind: 'a' }, { kind: 'c' }],
  },
  'all of several': {
    schema: {
      $defs: { base: { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] } },
      allOf: [{ $ref: '#/$defs/base' }, { properties: { name: { type: 'string' } }, required: ['name'] }],
    },
    good: [{ id: 1, name: 'x' }],
    bad: [{ id: 1 }, { name: 'x' }],
  },
  'a recursive schema': {
    schema: {
      $ref: '#/$defs/node',
      $defs: {
        node: {
          type: 'object',
          properties: {
            v: { type: 'integer' },
            next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
          },
          required: ['v', 'next'],
        },
      },
    },
    good: [
      { v: 1, next: null },
      { v: 1, next: { v: 2, next: { v: 3, next: null } } },
    ],
    bad: [{ v: 1 }, { v: 1, next: 1 }],
  },
  dates: {
    schema: { type: 'string', format: 'date' },
    good: ['2026-11-24'],
    bad: ['2026-13-01', '26-1-1', 'x'],
  },
  'points in time': {
    schema: { format: 'date-time' },
    good: ['2026-11-24T23:59:59Z', '2026-01-01T00:00:00.5+01:00'],
    bad: ['2026-11-24'],
  },
  'unknown formats': { schema: { type: 'string', format: 'color' }, good: ['x'], bad: [1] },
  patterns: {
    schema: { type: 'string', pattern: '^[A-Z]{2}-\\d{3,4}(?:x|y"|\\\\)?$' },
    good: ['AB-123', 'XY-1234x', 'AB-123y"', 'AB-123\\'],
    bad: ['AB-12', 'ab-123', 'AB-123z', ' AB-123'],
  },
  'patterns without anchors': { schema: { pattern: 'b+' }, good: ['abba', 'b'], bad: ['aca'] },
  'negated classes': { schema: { pattern: '^[^a-c"]+\\.\\S$' }, good: ['xyz.q'], bad: ['abc.q', 'xyz. '] },
  'integers from below 0': {
    schema: { type: 'integer', minimum: -12, exclusiveMaximum: 8 },
    good: [-12, -9, 0, 7],
    bad: [-13, 8, 1.5],
  },
  'integers from a bound on': {
    schema: { type: 'integer', minimum: 95 },
    good: [95, 99, 100, 1234567],
    bad: [94, 9, -95],
  },
  'integers up to a bound': {
    schema: { type: 'integer', maximum: -3 },
    good: [-3, -10, -999],
    bad: [-2, 0, 3],
  },
  'numbers between bounds': {
    schema: { type: 'number', minimum: 0, maximum: 1 },
    good: [0, 0.5, 1, 0.125],
    bad: [1.1, -0.5, 2],
  },
  'numbers around 0': {
    schema: { type: 'number', minimum: -2, exclusiveMaximum: 10 },
    good: [-2, -1.5, 0, 9.99],
    bad: [-2.5, 10, 11],
  },
  'numbers above a bound': {
    schema: { type: 'number', exclusiveMinimum: 5 },
    good: [5.1, 6, 100.25],
    bad: [5, 4.9, -6],
  },
}

const discriminated = {
  $defs: {
    node: {
      oneOf: [{ $ref: '#/$defs/leaf' }, { $ref: '#/$defs/pair' }],
      discriminator: { propertyName: 'kind', mapping: { leaf: '#/$defs/leaf' } },
    },
    leaf: { type: 'object', properties: { kind: { const: 'leaf' } }, required: ['kind'] },
    pair: {
      type: 'object',
      properties: {
        kind: { const: 'pair' },
        left: { $ref: '#/$defs/node', nullable: true },
        right: { $ref: '#/$defs/node', type: 'object' },
      },
      required: ['kind', 'left', 'right'],
    },
  },
  $ref: '#/$defs/node',
  description: 'a tree',
}

/** What generators of schemas write, and what a grammar can keep beyond the plain keywords. */
const generated: Readonly<Record<string, Case>> = {
  'integers as Zod 4 writes them': {
    schema: { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
    good: [0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    bad: [Number.MAX_SAFE_INTEGER + 1, 0.5],
  },
  'bounds beyond every number': {
    schema: { type: 'number', minimum: -Number.MAX_VALUE, maximum: Number.MAX_VALUE },
    good: [0, -12.5],
    bad: ['0'],
  },
  'int64 of OpenAPI': {
    schema: { type: 'integer', format: 'int64', minimum: -(2 ** 63), maximum: 2 ** 63 },
    good: [-5, 123456789012345],
    bad: [1.5],
  },
  'lengths beyond every answer': {
    schema: { type: 'string', maxLength: 2 ** 31 - 1 },
    good: ['', 'x'.repeat(5000)],
    bad: [1],
  },
  'counts beyond every answer': {
    schema: { type: 'array', maxItems: 2 ** 31 - 1, items: { type: 'null' } },
    good: [[], Array.from({ length: 300 }, () => null)],
    bad: [[1]],
  },
  'long lengths exactly': {
    schema: { type: 'string', minLength: 1500, maxLength: 4321 },
    good: ['x'.repeat(1500), 'x'.repeat(4321), 'x'.repeat(2999)],
    bad: ['x'.repeat(1499), 'x'.repeat(4322)],
  },
  'many items exactly': {
    schema: { type: 'array', minItems: 201, maxItems: 5000, items: { type: 'boolean' } },
    good: [Array.from({ length: 201 }, () => true), Array.from({ length: 1234 }, () => true)],
    bad: [Array.from({ length: 200 }, () => true)],
  },
  'a record as Zod 4 writes it': {
    schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      propertyNames: { type: 'string' },
      additionalProperties: { type: 'number' },
    },
    good: [{}, { a: 1, 'x y': 2 }],
    bad: [{ a: 'x' }],
  },
  'a record of an enumeration': {
    schema: { type: 'object', propertyNames: { enum: ['a', 'b'] }, additionalProperties: { type: 'null' } },
    good: [{}, { a: null }, { b: null }],
    bad: [{ c: null }, { a: 1 }],
  },
  'keywords for readers': {
    schema: {
      $id: 'https://example.com/x',
      $comment: 'x',
      title: 'x',
      description: 'x',
      default: 1,
      examples: [1],
      deprecated: true,
      readOnly: true,
      contentEncoding: 'base64',
      contentMediaType: 'text/plain',
      type: 'string',
    },
    good: ['x'],
    bad: [1],
  },
  'recursion beside $ref': {
    schema: discriminated,
    good: [
      { kind: 'leaf' },
      { kind: 'pair', left: null, right: { kind: 'leaf' } },
      { kind: 'pair', left: { kind: 'leaf' }, right: { kind: 'pair', left: null, right: { kind: 'leaf' } } },
    ],
    bad: [null, { kind: 'pair', left: null, right: null }, { kind: 'stem' }],
  },
  'a reference to the whole': {
    schema: { type: 'object', properties: { next: { $ref: '#', nullable: true } }, required: ['next'] },
    good: [{ next: null }, { next: { next: null } }],
    bad: [{ next: 1 }],
  },
  'pointers with escapes, nested definitions, names and anchors': {
    schema: {
      $id: 'https://example.com/root',
      type: 'array',
      prefixItems: [
        { $ref: '#/$defs/a~1b%20c' },
        { $ref: '#/$defs/outer/$defs/inner' },
        { $ref: '#word' },
        { $ref: 'https://example.com/root#/$defs/outer' },
        { $ref: 'item' },
      ],
      $defs: {
        'a/b c': { const: 1 },
        outer: { const: 2, $defs: { inner: { const: 3 } } },
        anchored: { $anchor: 'word', const: 4 },
        named: { $id: 'item', const: 5 },
      },
    },
    good: [[1, 3, 4, 2, 5]],
    bad: [[1, 1, 4, 2, 5]],
  },
  'further properties never repeat a listed name': {
    schema: { properties: { a: { type: 'integer' }, 'ab"': {} }, additionalProperties: { type: 'string' } },
    good: [
      { a: 1, b: 'x' },
      { a: 1, 'ab"': 1, aa: 'x' },
      { ab: 'x', 'ab"x': 'y' },
    ],
    bad: [{ a: 'x' }, { b: 1 }],
  },
  'what one part forbids the other can not allow': {
    schema: {
      allOf: [
        { type: 'object', properties: { a: {} }, additionalProperties: false },
        { properties: { b: {} } },
      ],
    },
    good: [{}, { a: 1 }],
    bad: [{ b: 1 }],
  },
  'bounds with a fraction': {
    schema: { type: 'number', minimum: 0.25, exclusiveMaximum: 1.5 },
    good: [0.25, 0.3, 1, 1.4999],
    bad: [0.2, 0.249, 1.5, 2, -0.3],
  },
  'bounds of draft 4': {
    schema: { type: 'integer', minimum: 3, exclusiveMinimum: true, maximum: 5 },
    good: [4, 5],
    bad: [3, 6],
  },
  'multiples of integers': {
    schema: { type: 'integer', multipleOf: 7 },
    good: [0, 7, -21, 700],
    bad: [1, 8, 71],
  },
  'multiples of fractions': {
    schema: { type: 'number', multipleOf: 0.01, minimum: 0 },
    good: [0, 1, 2.5, 3.14],
    bad: [3.141, -1],
  },
  'a pattern with a length': {
    schema: { pattern: '^[a-z]+(-[a-z]+)*$', minLength: 3, maxLength: 8 },
    good: ['abc', 'a-b-c', 'abcdefgh'],
    bad: ['ab', 'abcdefghi', 'a--b'],
  },
  'look-ahead, as in the e-mail addresses of Zod': {
    schema: {
      type: 'string',
      format: 'email',
      pattern:
        "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$",
    },
    good: ['ann@example.com', 'a.b+c@x.y.org'],
    bad: ['.a@example.com', 'a..b@example.com', 'a@b'],
  },
  'letters of all scripts': { schema: { pattern: '^\\p{L}+$' }, good: ['aä日'], bad: ['a1', ''] },
  'distinct values in any order': {
    schema: { type: 'array', uniqueItems: true, minItems: 1, items: { enum: ['a', 'b', 'c'] } },
    good: [['a'], ['c', 'a'], ['b', 'c', 'a']],
    bad: [[], ['a', 'a'], ['a', 'b', 'a']],
  },
  'distinct values of a long enumeration': {
    schema: { type: 'array', uniqueItems: true, items: { enum: Array.from({ length: 50 }, (_, n) => n) } },
    good: [[], [3, 7, 49]],
    bad: [
      [3, 3],
      [3, 7, 7],
    ],
  },
  'names by pattern': {
    schema: {
      type: 'object',
      properties: { x_id: { type: 'integer' } },
      patternProperties: { '^x_': { minimum: 5 }, _s$: { type: 'string' } },
      additionalProperties: false,
    },
    good: [{}, { x_id: 7 }, { x_a: 6, b_s: 'x' }],
    bad: [{ x_id: 3 }, { y: 1 }, { b_s: 1 }, { x_s: 6 }],
  },
  'an object without properties': {
    schema: { type: 'object', properties: {}, additionalProperties: false },
    good: [{}],
    bad: [{ a: 1 }],
  },
  'an object whose properties are none': {
    schema: { type: 'object', properties: {} },
    good: [{}],
    bad: [{ a: 1 }],
  },
  'numbers of properties': {
    schema: { properties: { a: {}, b: {}, c: {} }, minProperties: 1, maxProperties: 2, type: 'object' },
    good: [{ a: 1 }, { c: 1 }, { a: 1, c: 1 }],
    bad: [{}, { a: 1, b: 1, c: 1 }],
  },
  'a property that needs another': {
    schema: {
      type: 'object',
      properties: { card: { type: 'integer' }, address: { type: 'string' } },
      dependentRequired: { card: ['address'] },
    },
    good: [{}, { address: 'x' }, { card: 1, address: 'x' }],
    bad: [{ card: 1 }],
  },
  'if, then and else': {
    schema: {
      type: 'object',
      properties: { land: { enum: ['US', 'DE'] }, code: { type: 'string' } },
      required: ['land', 'code'],
      if: { properties: { land: { const: 'US' } } },
      then: { properties: { code: { pattern: '^\\d{5}$' } } },
      else: { properties: { code: { pattern: '^D-' } } },
    },
    good: [
      { land: 'US', code: '12345' },
      { land: 'DE', code: 'D-1' },
    ],
    bad: [
      { land: 'US', code: 'D-1' },
      { land: 'DE', code: '12345' },
    ],
  },
  'not this value': {
    schema: { type: 'string', not: { enum: ['root', 'admin'] } },
    good: ['rooty', 'ann', ''],
    bad: ['root', 'admin'],
  },
  'not this property': {
    schema: { type: 'object', properties: { a: {}, b: {} }, not: { required: ['a'] } },
    good: [{}, { b: 1 }],
    bad: [{ a: 1 }],
  },
  'lists that contain something': {
    schema: { type: 'array', contains: { const: 7 }, items: { type: 'integer' } },
    good: [[7], [7, 1, 2]],
    bad: [[], [1, 2]],
  },
  'tuples of draft 7': {
    schema: { type: 'array', items: [{ type: 'string' }, { type: 'integer' }], additionalItems: false },
    good: [['a', 1]],
    bad: [['a', 1, 1]],
  },
  'exactly one of overlapping values': {
    schema: {
      oneOf: [
        { type: 'string', maxLength: 2 },
        { type: 'string', pattern: '^a' },
      ],
    },
    good: ['bc', 'abc'],
    bad: ['a', 'ab', 'bcd'],
  },
}

describe('a schema as a grammar', () => {
  for (const [name, { schema, good, bad }] of Object.entries({ ...cases, ...generated })) {
    it(name, async () => {
      const grammar = await nativeGrammar(grammarSource({ type: 'json-schema', schema }))
      for (const value of good) {
        for (const indent of [undefined, 1, 4]) {
          const text = JSON.stringify(value, undefined, indent)
          const isLiteral = indent !== undefined && isConstant(schema) && isComposite(value)
          expect(grammar.accepts(text), `accepts ${text}`).toBe(!isLiteral)
        }
      }
      for (const value of bad)
        expect(grammar.accepts(JSON.stringify(value)), `refuses ${JSON.stringify(value)}`).toBe(false)
    })
  }

  it('takes integer bounds exactly', async () => {
    for (const [minimum, maximum] of [
      [0, 9],
      [3, 17],
      [19, 21],
      [98, 1002],
      [-15, -4],
      [-105, 23],
      [7, 7],
      [0, 0],
    ] as const) {
      const grammar = await nativeGrammar(
        grammarSource({ type: 'json-schema', schema: { type: 'integer', minimum, maximum } }),
      )
      for (let value = minimum - 30; value <= maximum + 30; value++) {
        expect(grammar.accepts(String(value)), `${value} of ${minimum} … ${maximum}`).toBe(
          value >= minimum && value <= maximum,
        )
      }
    }
  })

  it('is read by llama.cpp also when it is large', async () => {
    const properties = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`p${index}`, { type: 'string', maxLength: 100 }]),
    )
    const grammar = await nativeGrammar(
      grammarSource({ type: 'json-schema', schema: { type: 'object', properties } }),
    )
    expect(grammar.accepts('{"p0":"x","p299":"y"}')).toBe(true)
  })
})

/** Enumerations of objects are kept to the letter, without white space. */
const isConstant = (schema: unknown): boolean => JSON.stringify(schema).includes('"enum":["red"')
const isComposite = (value: unknown): boolean => typeof value === 'object' && value !== null

describe('a schema that is no use', () => {
  const refused: ReadonlyArray<readonly [message: RegExp, schema: unknown]> = [
    [/\$ must be a schema/, 7],
    [/\$ must be a schema/, null],
    [/\$ is false/, false],
    [/\$\.type is no type of JSON: "text"/, { type: 'text' }],
    [/\$\.properties\.a\.type is no type/, { properties: { a: { type: 'int' } } }],
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
    [/\$\.\$ref has a broken escape/, { $ref: '#/%' }],
    [/\$ has minItems above maxItems/, { type: 'array', minItems: 3, maxItems: 1 }],
    [/\$ has minLength 2000000, which no answer reaches/, { type: 'string', minLength: 2_000_000 }],
    [/\$\.minLength must be a whole number/, { type: 'string', minLength: -1 }],
    [/\$\.pattern is no regular expression/, { pattern: '(' }],
    [/\$\.pattern has what can't be enforced here \(look-behind/, { pattern: '(?<=a)b' }],
    [/\$\.pattern has what can't be enforced here \(\\1\)/, { pattern: '(a)\\1' }],
    [/\$\.properties\.a\.pattern takes more work/, { properties: { a: { pattern: '^(a?){500}a{500}$' } } }],
    [/\$\.pattern takes more work/, { pattern: '^((a{30}){30}){30}$' }],
    [/\$\.pattern takes more work/, { pattern: '(a|b)*a(a|b){20}$' }],
    [/\$ allows no text/, { pattern: '(?=a)b' }],
    [/\$ allows no number/, { type: 'integer', minimum: 3, maximum: 2 }],
    [/\$ allows no number/, { type: 'number', exclusiveMinimum: 2, maximum: 2 }],
    [/\$\.minimum is beyond 10\^16/, { type: 'integer', minimum: 1e17 }],
    [/contradicts/, { allOf: [{ const: 1 }, { const: 2 }] }],
    [/has no value that fits/, { type: 'string', enum: [1, 2] }],
    [/two types at once/, { allOf: [{ type: 'string' }, { type: 'integer' }] }],
    [/refers to itself/, { anyOf: [{ $ref: '#' }] }],
    [/\$\.properties\.a is false: nothing fits it/, { properties: { a: false }, required: ['a'] }],
    [/nested more than 150 levels/, nested(200)],
  ]

  for (const [message, schema] of refused) {
    it(`is refused in words: ${String(message)}`, () => {
      const convert = () => grammarSource({ type: 'json-schema', schema })
      expect(convert).toThrow(InvalidRequestError)
      expect(convert).toThrow(message)
    })
  }

  it('is refused soon if it grows without end', () => {
    const pairs = Array.from({ length: 25 }, (_, index) => ({
      anyOf: [{ properties: { [`a${index}`]: {} } }, { properties: { [`b${index}`]: {} } }],
    }))
    expect(() => grammarSource({ type: 'json-schema', schema: { type: 'object', allOf: pairs } })).toThrow(
      /\$ is too large/,
    )
  })

  it('is no trouble where alternatives are the same', async () => {
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

  it('is refused if it is no plain data', () => {
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
    it(`keeps what a grammar can say: ${JSON.stringify(schema)}`, async () => {
      const grammar = await nativeGrammar(grammarSource({ type: 'json-schema', schema, strict: false }))
      expect(grammar.accepts(JSON.stringify(good))).toBe(true)
      expect(grammar.accepts(JSON.stringify(bad))).toBe(false)
    })
  }

  it('is refused nevertheless where it is no schema', () => {
    const convert = () =>
      grammarSource({ type: 'json-schema', schema: { type: 'int' }, strict: false, name: 'tools[3]' })
    expect(convert).toThrow(/in 'tools\[3\]' can't be used: \$\.type is no type/)
    expect(convert).toThrow(expect.objectContaining({ param: 'tools[3]' }))
  })
})

describe('forms of several parts', () => {
  const documents = {
    'tools[0]': {
      schema: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { const: 1 } } },
    },
    'tools[1]': {
      schema: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { const: 2 } } },
    },
  }

  it('find the references of each document in it', async () => {
    const schema = { anyOf: [{ $ref: 'tools[0]' }, { type: 'array', items: { $ref: 'tools[1]' } }] }
    const grammar = await nativeGrammar(grammarSource({ type: 'json-schema', schema, documents }))
    expect(grammar.accepts('{"a":1}')).toBe(true)
    expect(grammar.accepts('{"a":2}')).toBe(false)
    expect(grammar.accepts('[{"a":2}]')).toBe(true)
  })

  it('stand side by side, each between its own texts', async () => {
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

  it('are the texts of a regular expression', async () => {
    const grammar = await nativeGrammar(grammarSource({ type: 'regex', pattern: 'yes|no+"\\n' }))
    expect(grammar.accepts('yes')).toBe(true)
    expect(grammar.accepts('noo"\n')).toBe(true)
    expect(grammar.accepts('yes!')).toBe(false)
    for (const [pattern, message] of [
      ['(', /none of ECMAScript/],
      ['(a)\\1', /can't be enforced/],
      ['(a?){500}a{500}', /more work/],
      ['a(?!)', /no text matches/],
    ] as const)
      expect(() => grammarSource({ type: 'regex', pattern })).toThrow(message)
  })
})

function nested(depth: number): unknown {
  return depth === 0 ? {} : { type: 'array', items: nested(depth - 1) }
}
