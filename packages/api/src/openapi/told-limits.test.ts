import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { operations } from '../operations.ts'
import type { JsonSchema } from './component-schemas.ts'
import { openApiDocument } from './openapi-document.ts'

const { paths, components } = openApiDocument('1.2.3', '/')

/** A field of a body: what checks it, and what the document tells of it. */
interface Field {
  readonly path: string
  readonly checked: z.ZodType
  readonly told: JsonSchema
}

const resolve = (told: JsonSchema): JsonSchema =>
  typeof told.$ref === 'string' ? components.schemas[told.$ref.split('/').at(-1)!]! : told

/** Returns the object among a schema, what it wraps and the alternatives that it has. */
function objectIn(schema: z.core.$ZodType): z.ZodObject | undefined {
  if (schema instanceof z.ZodObject) return schema
  if (schema instanceof z.ZodPipe) return objectIn(schema.in) ?? objectIn(schema.out)
  return 'unwrap' in schema ? objectIn((schema as z.ZodOptional).unwrap()) : undefined
}

function* fieldsOf(path: string, schema: z.core.$ZodType, told: JsonSchema): Generator<Field> {
  const object = objectIn(schema)
  const own = [told, ...((told.anyOf as readonly JsonSchema[] | undefined) ?? [])]
  const properties = own.map((option) => resolve(option).properties).find((each) => each !== undefined)
  if (object === undefined || properties === undefined) return
  for (const [name, checked] of Object.entries(object.shape as Readonly<Record<string, z.ZodType>>)) {
    const field = {
      path: `${path}.${name}`,
      checked,
      told: (properties as Record<string, JsonSchema>)[name]!,
    }
    yield field
    yield* fieldsOf(field.path, checked, field.told)
  }
}

const known = new Set<z.ZodType>()

/** The bodies of requests, each once. */
const bodies = operations.flatMap(({ id, path, method, request = {} }) =>
  Object.entries(request).flatMap(([type, schema]) => {
    if (known.has(schema)) return []
    known.add(schema)
    const { requestBody } = paths[path]![method] as {
      readonly requestBody: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> }
    }
    return { id, schema, told: requestBody.content[type]!.schema }
  }),
)

/** Numbers, and lengths of texts and lists, that a schema names as limits. */
function* limitsIn(told: unknown): Generator<number> {
  if (typeof told !== 'object' || told === null) return
  for (const [key, value] of Object.entries(told)) {
    if (typeof value === 'number' && /^(exclusive)?(min|max)/i.test(key)) yield value
    else yield* limitsIn(value)
  }
}

const usual = [0, 1, 128, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, 2 ** 53, 2 ** 63, 2 ** 64, 1e300]

/** Values at the limits that are told and the usual ones, and to both sides of each. */
function valuesFor(told: JsonSchema): readonly unknown[] {
  const limits = new Set([...usual, ...limitsIn(told)])
  const numbers = [...limits].flatMap((limit) => [limit, -limit, limit - 1, limit + 1, limit + 0.5])
  const lengths = numbers.filter((length) => Number.isInteger(length) && length >= 0 && length <= 3_000)
  return [
    ...numbers,
    ...lengths.flatMap((length) => [
      'x'.repeat(length),
      Array(length).fill('x'),
      Array(length).fill(1),
      withKeys(length, 1),
      withKeys(length, 'x'),
    ]),
    ...[null, true, '1', {}, { 1: 1 }, { 1: 100.5 }, { x: 'x' }, [[]], [{}]],
  ]
}

/** An object of so many keys, which are token ids. */
const withKeys = (count: number, value: unknown): object =>
  Object.fromEntries(Array.from({ length: count }, (_, key) => [key, value]))

/** Reads a schema as a client does that has nothing but the document. */
function clientOf(told: JsonSchema): (value: unknown) => boolean {
  const own = JSON.stringify(readable(told))
  const named = own.includes('$ref') ? { $defs: readable(components.schemas) } : {}
  const schema = JSON.stringify({ ...JSON.parse(own), ...named }).replaceAll(
    '#/components/schemas/',
    '#/$defs/',
  )
  const reader = z.fromJSONSchema(JSON.parse(schema) as Parameters<typeof z.fromJSONSchema>[0])
  const refused = JSON.stringify(told).includes('"not":{"const":0}') ? 0 : undefined
  return (value) => value !== refused && reader.safeParse(value).success
}

/** The schema in words that zod reads: it knows no `not` but that of everything, and its integers have limits of their own. */
function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value !== 'object' || value === null) return value
  const { not, ...others } = value as JsonSchema
  const rest = JSON.stringify(not) === '{}' ? { not, ...others } : others
  const read = Object.fromEntries(Object.entries(rest).map(([key, child]) => [key, readable(child)]))
  return read.type === 'integer' ? { ...read, type: 'number', multipleOf: 1 } : read
}

describe('the document', () => {
  it.each(bodies)(
    'tells what $id takes: no value is refused that it allows, and none taken that it excludes',
    (body) => {
      const fields = [...fieldsOf(body.id, body.schema, body.told)]
      expect(fields).not.toEqual([])
      for (const { path, checked, told } of fields) {
        const isTold = clientOf(told)
        for (const value of valuesFor(told))
          expect(isTold(value), `${path}: ${JSON.stringify(value).slice(0, 80)}`).toBe(
            checked.safeParse(value).success,
          )
      }
    },
  )
})
