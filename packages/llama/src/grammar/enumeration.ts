import { literal } from './json-rules.ts'
import { notEnum, notPattern } from './negation.ts'
import { nodeAt, type PlainNode, type Schema, schemaError, Unsatisfiable } from './schema-error.ts'

/** The values of `const` and `enum` that fit all the schemas; undefined where there is neither keyword. */
export function enumerated(nodes: readonly PlainNode[]): readonly unknown[] | undefined {
  const lists = nodes.flatMap((node) => listOf(node) ?? [])
  const [first, ...others] = lists
  if (!first) return undefined
  const fits = (value: unknown) =>
    others.every((list) => list.some((each) => isSame(each, value))) &&
    nodes.every(({ schema }) => fitsKeywords(value, schema))
  const values = first.filter(fits)
  if (values.length === 0) {
    const problem =
      lists.length > 1
        ? 'contradicts the same keyword beside it'
        : 'has no value that fits what stands beside it'
    throw new Unsatisfiable(nodes[0]!, problem)
  }
  return values
}

/** The values as JSON texts, each once. */
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

const isSame = (left: unknown, right: unknown): boolean =>
  left === right || JSON.stringify(left) === JSON.stringify(right)

/** Whether a value of an enumeration fits the other keywords; of objects and lists only their type is looked at. */
function fitsKeywords(value: unknown, schema: Schema): boolean {
  const excluded = (Reflect.get(schema, notEnum) as unknown[] | undefined) ?? []
  if (excluded.includes(value)) return false
  if (schema.type !== undefined && ![schema.type].flat().some((type) => hasType(value, type))) return false
  if (typeof value === 'string') return fitsText(value, schema)
  return typeof value !== 'number' || fitsNumber(value, schema)
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

function fitsText(value: string, schema: Schema): boolean {
  const { minLength = 0, maxLength = Infinity, pattern } = schema
  const length = [...value].length
  if (length < Number(minLength) || length > Number(maxLength)) return false
  const refused = (Reflect.get(schema, notPattern) as string[] | undefined) ?? []
  return (
    (typeof pattern !== 'string' || new RegExp(pattern).test(value)) &&
    !refused.some((each) => new RegExp(each).test(value))
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
