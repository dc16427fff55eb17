import { describe, expect, it } from 'vitest'
import { misjudgedTexts, type SchemaCase } from '../../../../llama/src/testing/schema-cases.ts'

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

/** Schemas as libraries generate them, and keywords beyond the plain ones. */
const generated: Readonly<Record<string, SchemaCase>> = {
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

describe('a generated or composed schema as a grammar', () => {
  it.each(Object.entries(generated))('%s', async (_name, each) => {
    expect(await misjudgedTexts(each)).toEqual([])
  })
})
