type Schema = Readonly<Record<string, unknown>>

/** The plainest JSON value that a schema allows: what a scripted model answers where a grammar binds it. */
export function schemaInstance(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return {}
  const { const: constant, enum: values, anyOf, oneOf, type, default: preset } = schema as Schema
  if (constant !== undefined) return constant
  if (Array.isArray(values)) return values[0]
  if (preset !== undefined) return preset
  const choices = anyOf ?? oneOf
  if (Array.isArray(choices)) return schemaInstance(choices[0])
  return instanceOfType(Array.isArray(type) ? type[0] : type, schema as Schema)
}

function instanceOfType(type: unknown, schema: Schema): unknown {
  switch (type) {
    case 'string':
      return 'text'
    case 'integer':
    case 'number':
      return schema.minimum ?? 0
    case 'boolean':
      return true
    case 'null':
      return null
    case 'array':
      return Array.from({ length: Number(schema.minItems ?? 0) }, () => schemaInstance(schema.items))
    default:
      return objectInstance(schema)
  }
}

function objectInstance({ properties = {}, required = [] }: Schema): object {
  const names = required as readonly string[]
  return Object.fromEntries(names.map((name) => [name, schemaInstance((properties as Schema)[name])]))
}
