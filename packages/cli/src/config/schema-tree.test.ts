import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  conditionOf,
  describeAllowed,
  isRequired,
  knownKeys,
  schemaAt,
  valueFromText,
  walkKeys,
  type SchemaNode,
} from './schema-tree.ts'

const tree = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input' }) as SchemaNode

describe('describeAllowed', () => {
  it.each([
    [z.int(), 'a whole number'],
    [z.int().min(1).max(9), 'a whole number from 1 to 9'],
    [z.number().gt(0).lt(2), 'a number, more than 0 and less than 2'],
    [z.boolean().default(true), 'true or false'],
    [z.string().min(1).optional(), 'text that is not empty'],
    [z.enum(['a', 'b']), 'one of: a, b'],
    [z.union([z.literal('auto'), z.int().min(1)]), "'auto', or a whole number, at least 1"],
    [z.array(z.url()), 'a list; each entry: a URL such as https://example.org/page'],
    [z.array(z.boolean()).min(1), 'a list that is not empty; each entry: true or false'],
    [z.array(z.boolean()).min(2), 'a list of at least 2 entries; each entry: true or false'],
    [z.strictObject({ x: z.int(), y: z.int() }), 'a mapping with keys among: x, y'],
    [z.record(z.string(), z.boolean()), 'a mapping of names; each value: true or false'],
  ])('%#: %s', (schema, words) => {
    expect(describeAllowed(tree(schema))).toBe(words)
  })
})

describe('valueFromText', () => {
  it.each([
    [z.int(), '5', 5],
    [z.int(), 'five', 'five'],
    [z.int(), '', ''],
    [z.number().optional(), ' 0.5 ', 0.5],
    [z.string(), '5', '5'],
    [z.boolean(), 'YES', true],
    [z.boolean(), '0', false],
    [z.boolean(), 'perhaps', 'perhaps'],
    [z.array(z.int()), '1, 2', [1, 2]],
    [z.array(z.string()), '', []],
    [z.union([z.literal('auto'), z.int()]), 'auto', 'auto'],
    [z.union([z.literal('auto'), z.int()]), '3', 3],
    [z.union([z.literal('all'), z.array(z.string())]), ' all', 'all'],
    [z.union([z.literal('all'), z.array(z.string())]), 'a,b', ['a', 'b']],
  ])('%#: %j', (schema, text, value) => {
    expect(valueFromText(text, tree(schema))).toEqual(value)
  })
})

describe('a union that one key discriminates', () => {
  const schema = tree(
    z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('a').describe('A.'), size: z.int(), only: z.int().optional() }),
      z.strictObject({ kind: z.literal('b').describe('B.'), size: z.int() }),
    ]),
  )

  it('is read as one mapping', () => {
    expect(knownKeys(schema)).toEqual(['kind', 'size', 'only'])
    expect([...walkKeys(schema)].map(({ path }) => path)).toEqual([['kind'], ['size'], ['only']])
    expect(describeAllowed(schemaAt(schema, ['kind'])!)).toBe('one of: a, b')
    expect(schemaAt(schema, ['kind'])?.description).toBe('A. B.')
    expect(schemaAt(schema, ['size'])?.type).toBe('integer')
    expect(['kind', 'size', 'only', 'none'].map((key) => isRequired(schema, key))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  it('tells the condition for a key', () => {
    expect(conditionOf(schema, 'only')).toBe('kind: a')
    expect(conditionOf(schema, 'size')).toBeUndefined()
    expect(conditionOf(schema, 'none')).toBeUndefined()
  })
})

describe('a tree of keys', () => {
  const schema = tree(
    z.strictObject({
      a: z.array(z.strictObject({ b: z.int() })).optional(),
      c: z.record(z.string(), z.int()),
    }),
  )

  it('is found by path', () => {
    expect(schemaAt(schema, ['a', 3, 'b'])?.type).toBe('integer')
    expect(schemaAt(schema, ['c', 'anything'])?.type).toBe('integer')
    expect(schemaAt(schema, ['a', 'b'])).toBeUndefined()
    expect(schemaAt(schema, ['none'])).toBeUndefined()
  })

  it('lists its keys', () => {
    expect(knownKeys(schema)).toEqual(['a', 'c'])
    expect([...walkKeys(schema)].map(({ path }) => path)).toEqual([['a'], ['a', 0, 'b'], ['c']])
  })
})
