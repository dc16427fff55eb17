import { literal } from './json-rules.ts'
import { isSchema, schemaError, type Schema } from './schema-error.ts'
import type { SchemaConverter } from './schema-to-gbnf.ts'

interface Property {
  /** `"name": value` */
  readonly pair: string
  readonly isRequired: boolean
}

/**
 * Objects of a schema: the properties in the order of the schema, those that are not required perhaps. Further ones only
 * where the schema asks for them (`additionalProperties`) or has no properties of its own.
 */
export function objectBody(converter: SchemaConverter, schema: Schema, path: string, depth: number): string {
  const { rules } = converter
  const { properties = {}, additionalProperties } = schema
  if (!isSchema(properties)) throw schemaError(`${path}.properties`, 'must be an object of schemas')
  const required = requiredNames(schema.required, path)
  const names = [...new Set([...Object.keys(properties), ...required])]
  if (names.length === 0 && additionalProperties === undefined) return rules.json('object')

  const ws = rules.json('ws')
  const pairs = names.map((name): Property => {
    const value = Object.hasOwn(properties, name) ? properties[name] : true
    const body = converter.convert(value, `${path}.properties.${name}`, depth + 1)
    return {
      pair: rules.add(name, `${literal(JSON.stringify(name))} ":" ${ws} ${body}`),
      isRequired: required.has(name),
    }
  })
  const further = furtherPair(converter, additionalProperties, path, depth)
  const inside = sequence(converter, pairs, further, path)
  return `"{" ${ws} ${inside} "}"`
}

function requiredNames(required: unknown, path: string): ReadonlySet<string> {
  if (required === undefined) return new Set()
  const isList = Array.isArray(required) && required.every((name) => typeof name === 'string')
  if (!isList) throw schemaError(`${path}.required`, 'must be a list of names')
  return new Set(required as string[])
}

/** A pair of a name that the schema does not list. */
function furtherPair(
  converter: SchemaConverter,
  schema: unknown,
  path: string,
  depth: number,
): string | undefined {
  if (schema === undefined || schema === false) return undefined
  const { rules } = converter
  const value = converter.convert(schema, `${path}.additionalProperties`, depth + 1)
  return rules.add('further', `${rules.json('string')} ":" ${rules.json('ws')} ${value}`)
}

/** The pairs with commas between them. From the back: what may follow once a pair is there, and what if none is yet. */
function sequence(
  { rules }: SchemaConverter,
  pairs: readonly Property[],
  further: string | undefined,
  path: string,
): string {
  const ws = rules.json('ws')
  let next = further ? `( "," ${ws} ${further} )* ${ws}` : ws
  let first: string | undefined = further ? `( ${further} ${next} )?` : ''
  for (const [index, { pair, isRequired }] of [...pairs].reverse().entries()) {
    const place = `${path}-${pairs.length - 1 - index}`
    const follow = rules.add(`${place}-rest`, next)
    const begins = `${pair} ${follow}`
    if (isRequired) first = begins
    else
      first =
        first === '' || first === undefined
          ? `( ${begins} )?`
          : rules.add(`${place}-first`, `${begins} | ${first}`)
    next = isRequired ? `"," ${ws} ${begins}` : `( "," ${ws} ${pair} )? ${follow}`
  }
  return first ?? ''
}
