import { describe, expect, it } from 'vitest'
import { nativeGrammar } from '../../../../llama/src/testing/native-grammar.ts'
import { misjudgedTexts, type SchemaCase } from '../../../../llama/src/testing/schema-cases.ts'
import { grammarSource } from '../grammar-source.ts'

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

const cases: Readonly<Record<string, SchemaCase>> = {
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

describe('a schema as a grammar', () => {
  it.each(Object.entries(cases))('%s', async (_name, each) => {
    expect(await misjudgedTexts(each)).toEqual([])
  })

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
