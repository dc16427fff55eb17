import type { JsonSchema } from '@petals-chat/api'

export interface Field {
  readonly name: string
  readonly type: string
  readonly required: boolean
  readonly description: string
}

type Schemas = Readonly<Record<string, JsonSchema>>

/** Describes the fields of an object's schema in words. */
export function fieldsOf(schema: JsonSchema, schemas: Schemas): readonly Field[] {
  const { properties = {}, required = [] } = resolve(schema, schemas) as {
    readonly properties?: Schemas
    readonly required?: readonly string[]
  }
  return Object.entries(properties).map(([name, property]) => ({
    name,
    type: typeInWords(property, schemas),
    required: required.includes(name),
    description: descriptionOf(property, schemas),
  }))
}

const resolve = (schema: JsonSchema, schemas: Schemas): JsonSchema =>
  typeof schema.$ref === 'string' ? (schemas[nameOf(schema.$ref)] ?? {}) : schema

const nameOf = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1)

function descriptionOf(schema: JsonSchema, schemas: Schemas): string {
  const own = schema.description ?? resolve(schema, schemas).description
  return typeof own === 'string' ? own : ''
}

/** Describes a type, for example `integer 0 … 20`, `string or list of string`, `"auto", "none"`, or the name of a schema. */
function typeInWords(schema: JsonSchema, schemas: Schemas): string {
  if (typeof schema.$ref === 'string') return nameOf(schema.$ref)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(', ')
  const options = (schema.anyOf ?? schema.oneOf) as readonly JsonSchema[] | undefined
  if (options) {
    const known = options.filter(({ type }) => type !== 'null')
    return [...new Set(known.map((option) => typeInWords(option, schemas)))].join(' or ')
  }
  if (schema.type === 'array') return `list of ${typeInWords((schema.items ?? {}) as JsonSchema, schemas)}`
  if (Array.isArray(schema.type)) return schema.type.filter((type) => type !== 'null').join(' or ')
  return typeof schema.type === 'string' ? schema.type + range(schema) : 'any'
}

function range({ type, minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  if (type !== 'number' && type !== 'integer') return ''
  const low = [minimum, exclusiveMinimum].find((bound) => typeof bound === 'number' && bound > -(2 ** 53) + 1)
  const high = typeof maximum === 'number' && maximum < 2 ** 53 - 1 ? maximum : undefined
  if (low === undefined && high === undefined) return ''
  if (high === undefined) return exclusiveMinimum === undefined ? ` ≥ ${low}` : ` > ${low}`
  return ` ${low} … ${high}`
}
