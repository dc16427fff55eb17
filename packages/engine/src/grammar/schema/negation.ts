import { isScalar } from './scalar-types.ts'
import type { References } from './references.ts'
import { isSchema, type PlainNode, type Schema, type SchemaNode } from './schema-node.ts'

/** Internal keywords of negations: values that are not allowed, and patterns that a text must not match. */
export const notEnum = Symbol('notEnum')
export const notPattern = Symbol('notPattern')

const types = ['object', 'array', 'string', 'number', 'boolean', 'null']
const MAX_HOPS = 20

/**
 * Returns a schema for values that do not fit this one, or for some of them: violating one keyword is enough. Undefined if no
 * keyword can be negated.
 */
export function negation(node: SchemaNode, references: References, hops = 0): SchemaNode | undefined {
  const { schema } = node
  if (typeof schema === 'boolean') return { ...node, schema: !schema }
  if (!isSchema(schema) || hops > MAX_HOPS) return undefined
  if (schema.$ref !== undefined && Object.keys(schema).length === 1) {
    return negation(references.resolve(schema.$ref, node), references, hops + 1)
  }
  const violations = Object.entries(schema).flatMap(
    ([key, value]) => negatedKeyword(key, value, schema) ?? [],
  )
  const isEmpty = Object.keys(schema).every((key) =>
    /^(title|description|\$comment|default|examples?)$/.test(key),
  )
  if (isEmpty) return { ...node, schema: false }
  if (violations.length === 0) return undefined
  return { ...node, schema: violations.length === 1 ? violations[0] : { anyOf: violations } }
}

/** Returns schemas of values that violate the keyword. */
function negatedKeyword(key: string, value: unknown, schema: Schema): readonly unknown[] | undefined {
  switch (key) {
    case 'const':
      return isScalar(value) ? [{ [notEnum]: [value] }] : undefined
    case 'enum':
      return Array.isArray(value) && value.every(isScalar) ? [{ [notEnum]: value }] : undefined
    case 'type':
      return withoutTypes([value].flat())
    case 'not':
      return [value]
    case 'anyOf':
      return Array.isArray(value) ? [{ allOf: value.map((each: unknown) => ({ not: each })) }] : undefined
    case 'allOf':
      return Array.isArray(value) ? value.map((each: unknown) => ({ not: each })) : undefined
    case 'required':
      return Array.isArray(value)
        ? value.map((name: unknown) => ({ type: 'object', properties: { [String(name)]: false } }))
        : undefined
    case 'properties':
      return isSchema(value)
        ? Object.entries(value).map(([name, each]) => ({
            type: 'object',
            required: [name],
            properties: { [name]: { not: each } },
          }))
        : undefined
    case 'pattern':
      return [{ type: 'string', [notPattern]: [value] }]
    default:
      return negatedLimit(key, value, schema)
  }
}

function withoutTypes(named: readonly unknown[]): readonly unknown[] | undefined {
  if (named.includes('integer') && !named.includes('number')) return undefined
  const rest = types.filter((type) => !named.includes(type))
  return rest.length === 0 ? [false] : [{ type: rest }]
}

function negatedLimit(key: string, value: unknown, schema: Schema): readonly unknown[] | undefined {
  if (typeof value !== 'number') return undefined
  switch (key) {
    case 'minimum':
      return schema.exclusiveMinimum === true ? undefined : [{ type: 'number', exclusiveMaximum: value }]
    case 'maximum':
      return schema.exclusiveMaximum === true ? undefined : [{ type: 'number', exclusiveMinimum: value }]
    case 'exclusiveMinimum':
      return [{ type: 'number', maximum: value }]
    case 'exclusiveMaximum':
      return [{ type: 'number', minimum: value }]
    case 'minLength':
      return value < 1 ? [false] : [{ type: 'string', maxLength: value - 1 }]
    case 'maxLength':
      return [{ type: 'string', minLength: value + 1 }]
    case 'minItems':
      return value < 1 ? [false] : [{ type: 'array', maxItems: value - 1 }]
    case 'maxItems':
      return [{ type: 'array', minItems: value + 1 }]
    default:
      return undefined
  }
}

/** Returns the values that a `not` beside these schemas forbids. */
export const excludedValues = (plain: readonly PlainNode[]): readonly unknown[] =>
  plain.flatMap(({ schema }) => (Reflect.get(schema, notEnum) as unknown[] | undefined) ?? [])

/** Returns the patterns that a `not` beside these schemas forbids. */
export const excludedPatterns = (plain: readonly PlainNode[]): readonly string[] =>
  plain.flatMap(({ schema }) => (Reflect.get(schema, notPattern) as string[] | undefined) ?? [])
