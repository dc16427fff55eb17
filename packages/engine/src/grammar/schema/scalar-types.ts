import type { References } from './references.ts'
import { isSchema, type SchemaNode } from './schema-node.ts'

const scalars: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'null'])

/** Reports whether a schema allows neither objects nor lists. */
export function isScalarOnly({ schema, ...place }: SchemaNode, references: References, hops = 0): boolean {
  if (!isSchema(schema) || hops > 20) return false
  if (schema.$ref !== undefined) {
    return isScalarOnly(references.resolve(schema.$ref, { schema, ...place }), references, hops + 1)
  }
  if ('const' in schema) return isScalar(schema.const)
  if (Array.isArray(schema.enum)) return schema.enum.every(isScalar)
  return schema.type !== undefined && [schema.type].flat().every((type) => scalars.has(type))
}

export const isScalar = (value: unknown): boolean => typeof value !== 'object' || value === null

const wordsBeside = new Set(['type', 'title', 'description', '$comment', 'default', 'examples', 'deprecated'])

/** Returns the values of a schema that only lists scalar values; undefined for other schemas. */
export function listedScalars({ schema }: SchemaNode): ReadonlySet<unknown> | undefined {
  if (!isSchema(schema)) return undefined
  const { const: only, enum: listed, ...beside } = schema
  const values = 'const' in schema ? [only] : listed
  const isPlain = Array.isArray(values) && values.every(isScalar) && !('const' in schema && 'enum' in schema)
  return isPlain && Object.keys(beside).every((key) => wordsBeside.has(key)) ? new Set(values) : undefined
}
