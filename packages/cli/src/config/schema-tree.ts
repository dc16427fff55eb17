import type { KeyPath } from './problem.ts'

/** The parts of JSON Schema that `z.toJSONSchema` writes for our sections. */
export interface SchemaNode {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | SchemaNode
  readonly items?: SchemaNode
  readonly minItems?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly minLength?: number
  readonly pattern?: string
  /** What texts of the pattern are, in words: `must be …`. */
  readonly patternErrorMessage?: string
  readonly format?: string
}

const alternatives = (node: SchemaNode): readonly SchemaNode[] => node.anyOf ?? node.oneOf ?? [node]

/** Returns the schema of the value at `path`, or undefined if there is no such key. */
export function schemaAt(root: SchemaNode, path: KeyPath): SchemaNode | undefined {
  let nodes: readonly SchemaNode[] = [root]
  for (const key of path) {
    nodes = nodes.flatMap(alternatives).flatMap((node) => {
      if (typeof key === 'number') return node.items ?? []
      const property = node.properties?.[key]
      if (property !== undefined) return property
      return typeof node.additionalProperties === 'object' ? node.additionalProperties : []
    })
  }
  return merged(nodes)
}

/** Merges the schemas of a key that is in several alternatives into one node. */
function merged(nodes: readonly SchemaNode[]): SchemaNode | undefined {
  const distinct = [...new Map(nodes.map((node) => [JSON.stringify(node), node])).values()]
  if (distinct.length < 2) return distinct[0]
  const descriptions = new Set(distinct.flatMap(({ description }) => description ?? []))
  return { anyOf: distinct, ...(descriptions.size > 0 && { description: [...descriptions].join(' ') }) }
}

/** Returns the keys that a mapping may have, in the schema's order. */
export function knownKeys(node: SchemaNode): readonly string[] {
  return [...new Set(alternatives(node).flatMap((alternative) => Object.keys(alternative.properties ?? {})))]
}

/** Returns whether each alternative that has the key requires it. */
export function isRequired(node: SchemaNode, key: string): boolean {
  const having = alternatives(node).filter(({ properties }) => properties?.[key] !== undefined)
  return having.length > 0 && having.every(({ required }) => required?.includes(key) === true)
}

/**
 * Returns the condition under which a mapping may have the key, if its alternatives differ: `engine: petals`. Undefined
 * for a key that all of them have, or none.
 */
export function conditionOf(node: SchemaNode, key: string): string | undefined {
  const all = alternatives(node)
  const having = all.filter(({ properties }) => properties?.[key] !== undefined)
  if (having.length === 0 || having.length === all.length) return undefined
  const conditions = having.flatMap(({ properties = {} }) =>
    Object.entries(properties).flatMap(([name, { const: only }]) =>
      // A constant tells alternatives apart only if each of them has one.
      only === undefined || all.some((other) => other.properties?.[name]?.const === undefined)
        ? []
        : [`${name}: ${String(only)}`],
    ),
  )
  return conditions.join(' or ')
}

/** Yields every key below `node` with its path; entries of a list have the index 0. */
export function* walkKeys(
  node: SchemaNode,
  path: KeyPath = [],
): Generator<{ path: KeyPath; node: SchemaNode }> {
  for (const { items } of alternatives(node)) if (items !== undefined) yield* walkKeys(items, [...path, 0])
  for (const key of knownKeys(node)) {
    const child = schemaAt(node, [key])!
    yield { path: [...path, key], node: child }
    yield* walkKeys(child, [...path, key])
  }
}

export const accepts = (node: SchemaNode, type: string): boolean =>
  alternatives(node).some((alternative) => [alternative.type].flat().includes(type))

/** Describes in words what a value must be: `a whole number from 0 to 65535`, `one of: llama, petals`. */
export function describeAllowed(node: SchemaNode): string {
  const options = alternatives(node)
  if (options.length > 1) {
    const constants = options.flatMap(({ const: only }) => only ?? [])
    if (constants.length === options.length) return `one of: ${constants.join(', ')}`
    if (options.every(({ properties }) => properties !== undefined)) return describeKeys(knownKeys(node))
    return [...new Set(options.map(describeAllowed))].join(', or ')
  }
  if (node.const !== undefined) return quote(node.const)
  if (node.enum !== undefined)
    return node.enum.length === 1 ? quote(node.enum[0]) : `one of: ${node.enum.join(', ')}`
  const types = [node.type ?? 'any'].flat().filter((type) => type !== 'null')
  return types.map((type) => describeType(type, node)).join(', or ')
}

function describeType(type: string, node: SchemaNode): string {
  switch (type) {
    case 'integer':
      return `a whole number${describeRange(node)}`
    case 'number':
      return `a number${describeRange(node)}`
    case 'boolean':
      return 'true or false'
    case 'string':
      return describeText(node)
    case 'array':
      return describeList(node)
    case 'object':
      return describeMapping(node)
    default:
      return 'any value'
  }
}

function describeList({ minItems = 0, items }: SchemaNode): string {
  const list = minItems > 1 ? `a list of at least ${minItems} entries` : 'a list'
  const kind = minItems === 1 ? `${list} that is not empty` : list
  return items === undefined ? kind : `${kind}; each entry: ${describeAllowed(items)}`
}

function describeText(node: SchemaNode): string {
  if (node.format === 'uri') return 'a URL such as https://example.org/page'
  if (node.patternErrorMessage !== undefined)
    return `text (${node.patternErrorMessage.replace(/^must be /, '')})`
  return (node.minLength ?? 0) > 0 ? 'text that is not empty' : 'text'
}

function describeMapping(node: SchemaNode): string {
  const keys = Object.keys(node.properties ?? {})
  if (keys.length > 0) return describeKeys(keys)
  const values = node.additionalProperties
  return typeof values === 'object'
    ? `a mapping of names; each value: ${describeAllowed(values)}`
    : 'a mapping'
}

const describeKeys = (keys: readonly string[]): string => `a mapping with keys among: ${keys.join(', ')}`

/** Zod limits every integer to the safe ones; that is not a limit of the schema's author. */
const isLimit = (value: number | undefined): value is number =>
  value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER

function describeRange(node: SchemaNode): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = node
  if (isLimit(minimum) && isLimit(maximum)) return ` from ${minimum} to ${maximum}`
  const limits = [
    isLimit(minimum)
      ? `at least ${minimum}`
      : isLimit(exclusiveMinimum)
        ? `more than ${exclusiveMinimum}`
        : [],
    isLimit(maximum)
      ? `at most ${maximum}`
      : isLimit(exclusiveMaximum)
        ? `less than ${exclusiveMaximum}`
        : [],
  ].flat()
  return limits.length === 0 ? '' : `, ${limits.join(' and ')}`
}

const quote = (value: unknown) => (typeof value === 'string' ? `'${value}'` : String(value))

/**
 * Converts a text (of a flag, a variable, `${NAME}`) to the type that `node` expects: a number, a boolean, a list that is
 * separated by commas, or the text itself. A text that does not fit is returned as it is, so that the schema refuses it.
 */
export function valueFromText(text: string, node: SchemaNode): unknown {
  const trimmed = text.trim()
  const options = alternatives(node)
  if (options.some(({ const: only, enum: known = [only] }) => known.includes(trimmed))) return trimmed
  const items = options.find((option) => option.items !== undefined)?.items
  if (items !== undefined) {
    return trimmed === '' ? [] : trimmed.split(',').map((part) => valueFromText(part.trim(), items))
  }
  const isNumber = trimmed !== '' && Number.isFinite(Number(trimmed))
  if (isNumber && (accepts(node, 'number') || accepts(node, 'integer'))) return Number(trimmed)
  if (accepts(node, 'boolean')) return booleans.get(trimmed.toLowerCase()) ?? text
  return text
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['true', '1', 'yes', 'on'].map((word) => [word, true] as const),
  ...['false', '0', 'no', 'off'].map((word) => [word, false] as const),
])
