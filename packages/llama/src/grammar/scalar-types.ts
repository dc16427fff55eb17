import type { References } from './references.ts'
import { isSchema, type SchemaNode } from './schema-error.ts'

const scalars: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'null'])

/** Whether a schema says that its values are neither objects nor lists. */
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
