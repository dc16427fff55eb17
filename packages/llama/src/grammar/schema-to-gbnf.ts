import { literal, oneOf, repeat, RuleSet } from './json-rules.ts'
import { mergeSchemas, withoutAnnotations } from './merge-schemas.ts'
import { objectBody } from './object-to-gbnf.ts'
import { numberBody, stringBody } from './scalar-to-gbnf.ts'
import { isSchema, limitsOf, schemaError, type Schema } from './schema-error.ts'

/** Keywords that restrict answers in ways a grammar can't; ignoring them would break the promise. */
const unsupported =
  'not if then else dependentRequired dependentSchemas dependencies patternProperties propertyNames contains minContains maxContains uniqueItems multipleOf minProperties maxProperties unevaluatedProperties unevaluatedItems $dynamicRef $recursiveRef'.split(
    ' ',
  )
const MAX_DEPTH = 64
/** llama.cpp walks grammars recursively: far more would end its process. */
const MAX_RULES = 4000
/** References that are put together with what stands beside them are converted anew each time: this bounds the work. */
const MAX_CONVERSIONS = 20_000
/** The keyword of a type, for schemas that leave `type` out. */
const keywordTypes: ReadonlyArray<readonly [type: string, keywords: readonly string[]]> = [
  ['object', ['properties', 'required', 'additionalProperties']],
  ['array', ['items', 'prefixItems', 'minItems', 'maxItems']],
  ['string', ['minLength', 'maxLength', 'pattern', 'format']],
  ['number', ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']],
]

/**
 * The GBNF grammar of the JSON texts that a schema allows; properties come in the order of the schema.
 * @throws InvalidRequestError that names the place in the schema and what is wrong there.
 */
export function schemaToGbnf(schema: unknown): string {
  const converter = new SchemaConverter(schema)
  return converter.rules.toSource(converter.convert(schema, '$', 0))
}

/** Turns schemas into expressions, and adds the rules that these use. */
export class SchemaConverter {
  readonly rules = new RuleSet()
  readonly #root: unknown
  readonly #references = new Map<string, string>()
  #conversions = 0

  constructor(root: unknown) {
    this.#root = root
  }

  convert(schema: unknown, path: string, depth: number): string {
    if (depth > MAX_DEPTH) throw schemaError(path, `is nested more than ${MAX_DEPTH} levels deep`)
    if (this.rules.size > MAX_RULES || ++this.#conversions > MAX_CONVERSIONS) {
      throw schemaError('$', 'is too large')
    }
    if (schema === true) return this.rules.json('value')
    if (schema === false) throw schemaError(path, 'is false: nothing fits it')
    if (!isSchema(schema)) throw schemaError(path, 'must be a schema: an object or a boolean')
    const plain = withoutAnnotations(schema)
    const key = unsupported.find((each) => each in plain)
    if (key !== undefined)
      throw schemaError(`${path}.${key}`, "can't be enforced by this engine; leave it out")
    return this.#convertPlain(plain, path, depth)
  }

  #convertPlain(schema: Schema, path: string, depth: number): string {
    const { $ref, allOf, anyOf, oneOf: alternatives, nullable, ...rest } = schema
    if ($ref !== undefined) return this.#reference($ref, { ...schema, $ref: undefined }, path, depth)
    if (allOf !== undefined) return this.#allOf(allOf, { ...schema, allOf: undefined }, path, depth)
    const choices = anyOf ?? alternatives
    if (choices !== undefined) {
      const name = anyOf === undefined ? 'oneOf' : 'anyOf'
      if (anyOf !== undefined && alternatives !== undefined)
        throw schemaError(path, 'has both anyOf and oneOf')
      return this.#anyOf(choices, rest, `${path}.${name}`, depth)
    }
    if (nullable === true) return oneOf([this.#convertPlain(rest, path, depth), this.rules.json('null')])
    if ('const' in rest) return literal(JSON.stringify(rest.const))
    if (rest.enum !== undefined) return this.#enumeration(rest.enum, path)
    return this.#byType(rest, path, depth)
  }

  #reference(reference: unknown, siblings: Schema, path: string, depth: number): string {
    const rest = Object.fromEntries(Object.entries(siblings).filter(([, value]) => value !== undefined))
    if (Object.keys(rest).length > 0) return this.#allOf([{ $ref: reference }], rest, path, depth)
    const pointer = String(reference)
    const known = this.#references.get(pointer)
    if (known !== undefined) return known
    const name = this.rules.reserve(pointer)
    this.#references.set(pointer, name)
    this.rules.set(name, this.convert(this.#resolve(reference, `${path}.$ref`), pointer, depth + 1))
    return name
  }

  #resolve(reference: unknown, path: string): unknown {
    if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) {
      throw schemaError(
        path,
        `must point into the schema itself, as "#/$defs/name"; got ${JSON.stringify(reference)}`,
      )
    }
    let target: unknown = this.#root
    for (const part of reference.split('/').slice(1)) {
      const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
      target =
        target !== null && typeof target === 'object' && Object.hasOwn(target, key)
          ? Reflect.get(target, key)
          : undefined
    }
    if (target === undefined) throw schemaError(path, `points to nothing: ${reference}`)
    return target
  }

  #allOf(parts: unknown, siblings: Schema, path: string, depth: number): string {
    if (!Array.isArray(parts) || parts.length === 0)
      throw schemaError(`${path}.allOf`, 'must be a list of schemas')
    let merged: Schema = Object.fromEntries(
      Object.entries(siblings).filter(([, value]) => value !== undefined),
    )
    for (const [index, part] of parts.entries()) {
      const place = `${path}.allOf[${index}]`
      let resolved: unknown = part
      for (let hops = 0; isSchema(resolved) && resolved.$ref !== undefined; hops++) {
        if (hops > MAX_DEPTH) throw schemaError(place, 'refers to itself')
        const { $ref, ...rest } = withoutAnnotations(resolved)
        const target = this.#resolve($ref, `${place}.$ref`)
        if (!isSchema(target)) throw schemaError(place, 'must be a schema object')
        resolved = mergeSchemas(target, rest, place)
      }
      if (!isSchema(resolved)) throw schemaError(place, 'must be a schema object')
      merged = mergeSchemas(merged, withoutAnnotations(resolved), place)
    }
    return this.convert(merged, path, depth + 1)
  }

  /** What stands beside the alternatives holds for each of them. */
  #anyOf(choices: unknown, siblings: Schema, path: string, depth: number): string {
    if (!Array.isArray(choices) || choices.length === 0) throw schemaError(path, 'must be a list of schemas')
    const hasSiblings = Object.keys(siblings).length > 0
    const expressions = choices.map((choice, index) =>
      this.convert(hasSiblings ? { allOf: [siblings, choice] } : choice, `${path}[${index}]`, depth + 1),
    )
    return oneOf([...new Set(expressions)])
  }

  #enumeration(values: unknown, path: string): string {
    if (!Array.isArray(values) || values.length === 0)
      throw schemaError(`${path}.enum`, 'must be a list of values')
    return oneOf([...new Set(values.map((value) => literal(JSON.stringify(value))))])
  }

  #byType(schema: Schema, path: string, depth: number): string {
    const type =
      schema.type ?? keywordTypes.find(([, keywords]) => keywords.some((key) => key in schema))?.[0]
    if (Array.isArray(type)) {
      if (type.length === 0) throw schemaError(`${path}.type`, 'is an empty list')
      return oneOf(type.map((each) => this.#byType({ ...schema, type: each }, path, depth)))
    }
    switch (type as string | undefined) {
      case undefined:
        return this.rules.json('value')
      case 'object':
        return objectBody(this, schema, path, depth)
      case 'array':
        return this.#array(schema, path, depth)
      case 'string':
        return stringBody(this.rules, schema, path)
      case 'integer':
      case 'number':
        return numberBody(this.rules, { ...schema, type }, path)
      case 'boolean':
        return this.rules.json('boolean')
      case 'null':
        return this.rules.json('null')
      default:
        throw schemaError(`${path}.type`, `is no type of JSON: ${JSON.stringify(type)}`)
    }
  }

  #array(schema: Schema, path: string, depth: number): string {
    const { minimum, maximum } = limitsOf(schema, ['minItems', 'maxItems'], path)
    const prefix = schema.prefixItems ?? []
    if (!Array.isArray(prefix)) throw schemaError(`${path}.prefixItems`, 'must be a list of schemas')
    const ws = this.rules.json('ws')
    const fixed = prefix.map((item, index) => this.convert(item, `${path}.prefixItems[${index}]`, depth + 1))
    const hasMore =
      schema.items !== false && (schema.items !== undefined || fixed.length === 0) && maximum !== 0
    if (fixed.length > 0) {
      const least = Math.max(0, minimum - fixed.length)
      const item = hasMore ? this.#item(schema.items ?? true, path, depth) : undefined
      const rest = item
        ? repeat(`( "," ${ws} ${item} )`, least, maximum && Math.max(0, maximum - fixed.length))
        : ''
      return `"[" ${ws} ${fixed.join(` "," ${ws} `)} ${rest} ${ws} "]"`
    }
    if (!hasMore) return `"[" ${ws} "]"`
    const item = this.#item(schema.items ?? true, path, depth)
    const more = repeat(
      `( "," ${ws} ${item} )`,
      Math.max(0, minimum - 1),
      maximum === undefined ? undefined : maximum - 1,
    )
    const items = `${item} ${more} ${ws}`
    return minimum === 0 ? `"[" ${ws} ( ${items} )? "]"` : `"[" ${ws} ${items} "]"`
  }

  #item(schema: unknown, path: string, depth: number): string {
    return this.rules.add(`${path}-item`, this.convert(schema, `${path}.items`, depth + 1))
  }
}
