import type { Grammar, SchemaDocument } from '../engine.ts'

type Schema = Readonly<Record<string, unknown>>

/** Returns the simplest text that a grammar allows: the answer of a scripted model under a grammar. */
export function grammarInstance(grammar: Grammar): string {
  switch (grammar.type) {
    case 'either': {
      const { before = '', after = '', grammar: form } = grammar.forms.at(-1)!
      return before + grammarInstance(form) + after
    }
    case 'json-schema':
      return JSON.stringify(withDocuments(grammar.documents).instance(grammar.schema))
    default:
      return '{}'
  }
}

/** Returns the simplest JSON value that a schema allows. */
export const schemaInstance = (schema: unknown): unknown => withDocuments().instance(schema)

const withDocuments = (documents: Readonly<Record<string, SchemaDocument>> = {}) => ({
  instance: (schema: unknown) => instanceOf(schema, documents),
})

function instanceOf(schema: unknown, documents: Readonly<Record<string, SchemaDocument>>): unknown {
  if (typeof schema !== 'object' || schema === null) return {}
  const { $ref, const: constant, enum: values, anyOf, oneOf, type, default: preset } = schema as Schema
  const schemaInstance = (part: unknown) => instanceOf(part, documents)
  const document = typeof $ref === 'string' ? documents[$ref] : undefined
  if (document) return schemaInstance(document.schema)
  if (constant !== undefined) return constant
  if (Array.isArray(values)) return values[0]
  if (preset !== undefined) return preset
  const choices = anyOf ?? oneOf
  if (Array.isArray(choices)) return schemaInstance(choices[0])
  return instanceOfType(Array.isArray(type) ? type[0] : type, schema as Schema, schemaInstance)
}

function instanceOfType(type: unknown, schema: Schema, instanceOfPart: (part: unknown) => unknown): unknown {
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
      return Array.from({ length: Number(schema.minItems ?? 0) }, () => instanceOfPart(schema.items))
    default:
      return objectInstance(schema, instanceOfPart)
  }
}

function objectInstance(
  { properties = {}, required = [] }: Schema,
  instanceOfPart: (part: unknown) => unknown,
): object {
  const names = required as readonly string[]
  return Object.fromEntries(names.map((name) => [name, instanceOfPart((properties as Schema)[name])]))
}
