import Ajv from 'ajv'
import fc from 'fast-check'

/** A JSON schema. */
export type Schema = Record<string, unknown>

const names = fc.constantFrom('a', 'b', 'ab', 'kind', 'näme', 'x"y', 'a/b')
const smallInt = fc.integer({ min: -30, max: 30 })
const decimal = fc.constantFrom(-2.5, -1, -0.25, 0, 0.1, 0.5, 1, 1.25, 3, 10.75, 100)
const scalarValue = fc.oneof(
  fc.constantFrom('a', 'b', 'red', 'x"y\n', ''),
  smallInt,
  fc.boolean(),
  fc.constant(null),
)
const maybe = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined, freq: 2 })
const record = (shape: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Schema> =>
  fc
    .record(shape)
    .map((schema) => Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined)))

const strings = record({
  type: fc.constant('string'),
  minLength: maybe(fc.integer({ min: 0, max: 4 })),
  maxLength: maybe(fc.integer({ min: 2, max: 300 })),
  pattern: maybe(
    fc.constantFrom(
      '^[a-c]+$',
      '^\\d{2,4}(-x)?$',
      'b+',
      '^[^"]*$',
      '^(?!ab)[a-z]*$',
      '^(?=.*\\d)[a-z\\d]+$',
      'a|^b',
    ),
  ),
  title: maybe(fc.constant('words')),
})
const numbers = record({
  type: fc.constantFrom('integer', 'number'),
  minimum: maybe(fc.oneof(smallInt, decimal, fc.constant(Number.MIN_SAFE_INTEGER))),
  maximum: maybe(
    fc.oneof(fc.integer({ min: 30, max: 500 }), fc.constantFrom(31.25, Number.MAX_SAFE_INTEGER, 1e300)),
  ),
  exclusiveMinimum: maybe(fc.oneof(smallInt, decimal)),
  multipleOf: maybe(fc.constantFrom(1, 2, 5, 7, 100, 0.5, 0.25)),
})
const enums = record({ enum: fc.uniqueArray(scalarValue, { minLength: 1, maxLength: 5 }) })
const scalars = fc.oneof(
  strings,
  numbers,
  enums,
  fc.constantFrom<Schema>({ type: 'boolean' }, { type: 'null' }, {}, { type: ['string', 'null'] }),
)

const grown = fc.letrec<{ any: Schema; object: Schema; array: Schema; joined: Schema }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalars,
    tie('object'),
    tie('array'),
    tie('joined'),
  ),
  object: record({
    type: fc.constant('object'),
    properties: maybe(fc.dictionary(names, tie('any'), { maxKeys: 4 })),
    required: maybe(fc.uniqueArray(names, { maxLength: 2 })),
    additionalProperties: maybe(fc.oneof(fc.boolean(), tie('any'))),
    patternProperties: maybe(
      fc.dictionary(fc.constantFrom('^a', 'b$', '^\\d+$'), tie('any'), { maxKeys: 2 }),
    ),
    propertyNames: maybe(
      fc.constantFrom<Schema>(
        { type: 'string' },
        { pattern: '^[a-z]+$' },
        { enum: ['a', 'b', 'zz'] },
        { maxLength: 5 },
      ),
    ),
    minProperties: maybe(fc.integer({ min: 0, max: 2 })),
    maxProperties: maybe(fc.integer({ min: 1, max: 4 })),
    dependencies: maybe(
      fc.dictionary(names, fc.oneof(fc.uniqueArray(names, { maxLength: 2 }), tie('object')), { maxKeys: 1 }),
    ),
  }),
  array: record({
    type: fc.constant('array'),
    items: maybe(fc.oneof(tie('any'), fc.array(tie('any'), { minLength: 1, maxLength: 2 }))),
    additionalItems: maybe(fc.oneof(fc.boolean(), tie('any'))),
    minItems: maybe(fc.integer({ min: 0, max: 2 })),
    maxItems: maybe(fc.integer({ min: 1, max: 300 })),
    uniqueItems: maybe(fc.boolean()),
    contains: maybe(scalars),
  }),
  joined: fc.oneof(
    fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    fc.array(fc.oneof(strings, enums), { minLength: 1, maxLength: 3 }).map((oneOf) => ({ oneOf })),
    fc.array(tie('any'), { minLength: 1, maxLength: 2 }).map((allOf) => ({ allOf })),
    fc.tuple(scalars, scalars).map(([plain, not]) => ({ ...plain, not })),
    fc
      .tuple(tie('object'), tie('object'), tie('any'), tie('any'))
      .map(([plain, condition, then, otherwise]) => ({
        ...plain,
        if: condition,
        then,
        else: otherwise,
      })),
    fc.tuple(names, tie('any'), tie('any')).map(([kind, one, other]) => ({
      discriminator: { propertyName: 'kind' },
      anyOf: [
        { type: 'object', properties: { kind: { const: kind }, one }, required: ['kind', 'one'] },
        {
          type: 'object',
          properties: { kind: { const: 'other' }, next: { $ref: '#' }, other },
          required: ['kind'],
        },
      ],
    })),
  ),
}))

/** Schemas of all kinds, many of which contradict themselves. */
export const randomSchemas: fc.Arbitrary<Schema> = grown.any.map(plainJson)

function plainJson(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema)) as Schema
}

/** Validates answers independently of the compiler. */
export const independentValidator = (): Ajv.Ajv =>
  new Ajv({ multipleOfPrecision: 9, nullable: true, unknownFormats: 'ignore', logger: false })

/** mulberry32: good enough for tests, and deterministic. */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
