import { literal } from '../gbnf/rule-set.ts'
import { notEnum, notPattern } from './negation.ts'
import type { SchemaContext } from './schema-context.ts'
import { nodeAt, type PlainNode, type Schema, schemaError, Unsatisfiable } from './schema-node.ts'
import { matchesPattern } from './string-to-gbnf.ts'

/** Returns the values of `const` and `enum` that fit all the schemas; undefined if they have neither keyword. */
export function enumerated(
  context: SchemaContext,
  nodes: readonly PlainNode[],
): readonly unknown[] | undefined {
  const lists = nodes.flatMap((node) => listOf(node) ?? [])
  const [first, ...further] = lists
  if (!first) return undefined
  context.spend(lists.reduce((sum, { length }) => sum + length, 0) + first.length * nodes.length, nodes[0]!)
  const others = further.map((list) => new Set(list.map((value) => JSON.stringify(value))))
  const keywords = nodes.map((node) => keywordsOf(context, node))
  const values = first.filter(
    (value) =>
      others.every((list) => list.has(JSON.stringify(value))) && keywords.every((fits) => fits(value)),
  )
  if (values.length === 0) {
    const problem =
      lists.length > 1
        ? 'contradicts the same keyword beside it'
        : 'has no value that fits the other keywords'
    throw new Unsatisfiable(nodes[0]!, problem)
  }
  return values
}

/** Returns the distinct values as GBNF literals of their JSON. */
export const literals = (values: readonly unknown[]): readonly string[] => [
  ...new Set(values.map((value) => literal(JSON.stringify(value)))),
]

function listOf(node: PlainNode): ReadonlyArray<readonly unknown[]> | undefined {
  const { schema } = node
  const lists: Array<readonly unknown[]> = []
  if ('const' in schema) lists.push([schema.const])
  if (schema.enum !== undefined) {
    if (!Array.isArray(schema.enum) || schema.enum.length === 0) {
      throw schemaError(nodeAt(node, 'enum', schema.enum), 'must be a list of values')
    }
    lists.push(schema.enum)
  }
  return lists.length > 0 ? lists : undefined
}

/** Returns a function that reports whether a value fits the other keywords. Only the type of objects and lists is checked. */
function keywordsOf(context: SchemaContext, node: PlainNode): (value: unknown) => boolean {
  const { schema } = node
  const excluded = new Set(Reflect.get(schema, notEnum) as unknown[] | undefined)
  const types = schema.type === undefined ? undefined : [schema.type].flat()
  return (value) => {
    if (excluded.has(value)) return false
    if (types && !types.some((type) => hasType(value, type))) return false
    if (typeof value === 'string') return fitsText(context, node, value)
    return typeof value !== 'number' || fitsNumber(value, schema)
  }
}

function hasType(value: unknown, type: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

function fitsText(context: SchemaContext, node: PlainNode, value: string): boolean {
  const { schema } = node
  const { minLength = 0, maxLength = Infinity, pattern } = schema
  const length = [...value].length
  if (length < Number(minLength) || length > Number(maxLength)) return false
  const refused = (Reflect.get(schema, notPattern) as string[] | undefined) ?? []
  return (
    (typeof pattern !== 'string' ||
      matchesPattern(context, node, 'pattern', { pattern, text: value, unread: true })) &&
    !refused.some((each) =>
      matchesPattern(context, node, 'not', { pattern: each, text: value, unread: false }),
    )
  )
}

function fitsNumber(value: number, schema: Schema): boolean {
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema
  const [above, below] = [exclusiveMinimum, exclusiveMaximum]
  return (
    value >= Number(minimum) &&
    value <= Number(maximum) &&
    !(typeof above === 'number' && value <= above) &&
    !(typeof below === 'number' && value >= below) &&
    !(above === true && value === minimum) &&
    !(below === true && value === maximum) &&
    (typeof multipleOf !== 'number' || Number.isInteger(value / multipleOf))
  )
}
