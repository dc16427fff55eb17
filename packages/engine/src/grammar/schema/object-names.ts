import { type Regular, TooComplex } from '../regular/regular.ts'
import type { SchemaContext } from './schema-context.ts'
import { isSchema, nodeAt, type PlainNode, schemaError, type SchemaNode } from './schema-node.ts'
import { matchesPattern, readPattern } from './string-to-gbnf.ts'

/** Names that no schema lists, with the schemas of their values. */
export interface FreeName {
  /** The name as an expression. */
  readonly name: string
  readonly values: readonly SchemaNode[]
  /** True if any text is allowed as the name. */
  readonly isAnything: boolean
}

interface NamePattern {
  readonly source: string
  readonly language: Regular
  readonly node: PlainNode
  readonly value: SchemaNode
}

/** Each pattern may double the kinds of free names. */
const MAX_PATTERNS = 4
/** The most letters of listed names that are distinguished from free names; for longer lists, only the beginnings of names are. */
const MAX_LETTERS = 400

/** Reports whether `propertyNames` allow a name. */
export function isAllowedName(context: SchemaContext, plain: readonly PlainNode[], name: string): boolean {
  return plain.every((node) => {
    const { propertyNames } = node.schema
    if (propertyNames === false) return false
    if (!isSchema(propertyNames)) return true
    const { enum: names, const: only, pattern, minLength = 0, maxLength = Infinity } = propertyNames
    // The search for a name is cheap compared with other work.
    context.spend(Array.isArray(names) ? names.length / 100 : 1, node)
    if (Array.isArray(names) && !names.includes(name)) return false
    if (only !== undefined && only !== name) return false
    const place = nodeAt(node, 'propertyNames', propertyNames) as PlainNode
    const question = { text: name, unread: true }
    if (typeof pattern === 'string' && !matchesPattern(context, place, 'pattern', { ...question, pattern }))
      return false
    return name.length >= Number(minLength) && name.length <= Number(maxLength)
  })
}

export function matchingPatterns(
  context: SchemaContext,
  node: PlainNode,
  name: string,
): readonly SchemaNode[] {
  return Object.entries(patternsOf(node)).flatMap(([pattern, schema]) =>
    matchesPattern(context, node, 'patternProperties', { pattern, text: name, unread: false })
      ? [nodeAt(node, `patternProperties.${pattern}`, schema)]
      : [],
  )
}

function patternsOf(node: PlainNode): Readonly<Record<string, unknown>> {
  const { patternProperties = {} } = node.schema
  if (isSchema(patternProperties)) return patternProperties
  throw schemaError(nodeAt(node, 'patternProperties', patternProperties), 'must be an object of schemas')
}

/** Returns the kinds of free names, by the patterns that they match. */
export function freeNames(
  context: SchemaContext,
  plain: readonly PlainNode[],
  listed: readonly string[],
): readonly FreeName[] {
  const patterns = namePatterns(context, plain)
  // An empty list of properties counts, too: generators write it for objects without properties.
  const isListed = plain.some(({ schema }) => schema.properties !== undefined)
  const isOpen = (listed.length === 0 && !isListed) || plain.some(asksForFreeNames)
  if (!isOpen) return []
  const kinds = Array.from({ length: 2 ** patterns.length }, (_, bits) =>
    patterns.filter((_pattern, index) => (bits >> index) & 1),
  )
  return kinds.flatMap((matched) => {
    const values = plain.map((node) => valuesOf(node, matched)).flat()
    if (values.some(({ schema }) => schema === false)) return []
    const rest = patterns.filter((pattern) => !matched.includes(pattern))
    return nameExpression(context, plain, listed, matched, rest, values) ?? []
  })
}

const asksForFreeNames = ({ schema }: PlainNode): boolean =>
  schema.patternProperties !== undefined ||
  [schema.additionalProperties, schema.unevaluatedProperties].some(
    (each) => each !== undefined && each !== false,
  )

/** Returns what one schema requires of the values of free names that match these patterns. */
function valuesOf(node: PlainNode, matched: readonly NamePattern[]): readonly SchemaNode[] {
  const own = matched.filter((pattern) => pattern.node === node)
  if (own.length > 0) return own.map(({ value }) => value)
  const { unevaluatedProperties = true, additionalProperties = unevaluatedProperties } = node.schema
  return [nodeAt(node, 'additionalProperties', additionalProperties)]
}

function namePatterns(context: SchemaContext, plain: readonly PlainNode[]): readonly NamePattern[] {
  const all = plain.flatMap((node) =>
    Object.entries(patternsOf(node)).flatMap(([source, schema]) => {
      const value = nodeAt(node, `patternProperties.${source}`, schema)
      const language = readPattern(context, node, 'patternProperties', source)
      return language ? [{ source, language, node, value }] : []
    }),
  )
  if (all.length <= MAX_PATTERNS) return all
  context.cannot(all[0]!.node, 'patternProperties', `can be enforced with at most ${MAX_PATTERNS} patterns`)
  return []
}

function nameExpression(
  context: SchemaContext,
  plain: readonly PlainNode[],
  listed: readonly string[],
  matched: readonly NamePattern[],
  rest: readonly NamePattern[],
  values: readonly SchemaNode[],
): FreeName | undefined {
  const { regulars, rules } = context
  const [node] = plain
  const demands = plain.flatMap((each) => nameDemands(context, each))
  if (listed.length + matched.length + rest.length + demands.length === 0) {
    return { name: rules.json('string'), values, isAnything: true }
  }
  const language = regulars.both(
    regulars.not(listedNames(context, listed)),
    ...demands,
    ...matched.map((pattern) => pattern.language),
    ...rest.map((pattern) => regulars.not(pattern.language)),
  )
  try {
    const inside = context.language(language, 'name')
    if (inside === undefined) return undefined
    return { name: rules.add('name', `"\\"" ${inside} "\\""`), values, isAnything: false }
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error
    throw schemaError(node!, 'has names and patterns that exceed the work limit of a grammar')
  }
}

/** Returns the texts that are one of the names, or begin like one. */
function listedNames({ regulars }: SchemaContext, names: readonly string[]): Regular {
  let longest = Math.max(0, ...names.map((name) => name.length))
  while (longest > 1 && names.reduce((sum, name) => sum + Math.min(name.length, longest), 0) > MAX_LETTERS)
    longest--
  return regulars.either(
    ...names.map((name) => {
      const begin = regulars.text([...name].slice(0, longest).join(''))
      return [...name].length > longest ? regulars.sequence(begin, regulars.anything) : begin
    }),
  )
}

/** Returns what `propertyNames` require of free names. */
function nameDemands(context: SchemaContext, node: PlainNode): readonly Regular[] {
  const { propertyNames } = node.schema
  if (propertyNames === undefined || propertyNames === true) return []
  const { regulars } = context
  if (propertyNames === false) return [regulars.nothing]
  const place = nodeAt(node, 'propertyNames', propertyNames) as PlainNode
  if (!isSchema(propertyNames)) throw schemaError(place, 'must be a schema')
  const { enum: names, const: only, pattern, minLength = 0, maxLength = Infinity } = propertyNames
  const known = new Set(
    'type enum const pattern minLength maxLength format title description $schema'.split(' '),
  )
  const unknown = Object.keys(propertyNames).find((key) => !known.has(key))
  if (unknown !== undefined) context.cannot(place, unknown)
  const wanted = Array.isArray(names) ? names : only === undefined ? undefined : [only]
  const hasLength = Number(minLength) > 0 || Number(maxLength) < 1000
  return [
    ...(wanted ? [regulars.either(...wanted.map((name) => regulars.text(String(name))))] : []),
    ...(typeof pattern === 'string' ? [readPattern(context, place, 'pattern', pattern) ?? []].flat() : []),
    ...(hasLength ? [regulars.repeat(regulars.anyChar, Number(minLength), Number(maxLength))] : []),
  ].flat()
}
