import { isSchema, schemaError, type Schema } from './schema-error.ts'

const annotations = new Set(
  '$schema $id $comment $anchor $defs definitions title description default examples example deprecated readOnly writeOnly contentEncoding contentMediaType'.split(
    ' ',
  ),
)

/** The schema without what is only there for readers. */
export const withoutAnnotations = (schema: Schema): Schema =>
  Object.fromEntries(Object.entries(schema).filter(([key]) => !annotations.has(key)))

/** One schema that holds what both demand. @throws InvalidRequestError where they can't be put together. */
export function mergeSchemas(first: Schema, second: Schema, path: string): Schema {
  const merged: Record<string, unknown> = { ...first }
  for (const [key, value] of Object.entries(second)) {
    merged[key] = key in first ? mergeValues(key, first[key], value, `${path}.${key}`) : value
  }
  return merged
}

function mergeValues(key: string, first: unknown, second: unknown, path: string): unknown {
  if (JSON.stringify(first) === JSON.stringify(second)) return first
  if (key === 'required' && Array.isArray(first) && Array.isArray(second))
    return [...new Set([...first, ...second])]
  if (key === 'properties' && isSchema(first) && isSchema(second)) return mergeProperties(first, second)
  if (key === 'type') return mergeTypes(first, second, path)
  if (key.startsWith('min') && typeof first === 'number' && typeof second === 'number')
    return Math.max(first, second)
  if (key.startsWith('max') && typeof first === 'number' && typeof second === 'number')
    return Math.min(first, second)
  if (key === 'additionalProperties' && (first === false || second === false)) return false
  throw schemaError(path, 'contradicts the same keyword beside it (in allOf, anyOf or $ref)')
}

function mergeProperties(first: Schema, second: Schema): Schema {
  const both = Object.entries(second).map(([name, schema]) => [
    name,
    name in first ? { allOf: [first[name], schema] } : schema,
  ])
  return { ...first, ...Object.fromEntries(both) }
}

function mergeTypes(first: unknown, second: unknown, path: string): unknown {
  const seconds = [second].flat()
  const common = [first].flat().filter((type) => seconds.includes(type))
  if (common.length === 0) throw schemaError(path, 'asks for two types at once')
  return common.length === 1 ? common[0] : common
}
