import { literal, repeat } from '../gbnf/rule-set.ts'
import { type FreeName, freeNames, isAllowedName, matchingPatterns } from './object-names.ts'
import type { Place, SchemaContext } from './schema-context.ts'
import {
  isSchema,
  limitsOf,
  nodeAt,
  type PlainNode,
  schemaError,
  type SchemaNode,
  Unsatisfiable,
} from './schema-node.ts'

interface Property {
  /** `"name": value` */
  readonly pair: string
  readonly isRequired: boolean
}

/**
 * Returns an expression for the objects that all the schemas allow, with their properties in the order of the schema. Further
 * properties are allowed only if a schema declares them (`additionalProperties`), or if none declares any properties. A listed
 * name never appears twice.
 */
export function objectBody(context: SchemaContext, plain: readonly PlainNode[], place: Place): string {
  const { rules } = context
  const required = new Set(plain.flatMap(requiredNames))
  const names = [...new Set([...plain.flatMap((node) => Object.keys(propertiesOf(node))), ...required])]
  const limits = limitsOf(plain, ['minProperties', 'maxProperties'])
  const pairs: Property[] = []
  for (const name of names) {
    const pair = pairOf(context, plain, name, place)
    if (pair !== undefined) pairs.push({ pair, isRequired: required.has(name) })
    else if (required.has(name))
      throw new Unsatisfiable(
        nodeAt(plain[0]!, `properties.${name}`, undefined),
        'is required, but no value fits it',
      )
  }
  const further = freeNames(context, plain, names).flatMap((free) => freePair(context, free, place) ?? [])
  const isFree = names.length === 0 && further.length === 1 && further[0]!.isAnything
  if (isFree && limits.minimum === 0 && limits.maximum === undefined) return rules.json('object')

  if (pairs.length === 0 && further.length === 0 && limits.minimum === 0) return literal('{}')
  const furtherPair =
    further.length === 0 ? undefined : rules.add('further', further.map(({ pair }) => pair).join(' | '))
  const sequence = new PairSequence(context, plain[0]!, pairs, furtherPair, limits)
  return `"{" ${rules.json('ws')} ${sequence.write()} "}"`
}

export function propertiesOf(node: PlainNode): Readonly<Record<string, unknown>> {
  const { properties = {} } = node.schema
  if (isSchema(properties)) return properties
  throw schemaError(nodeAt(node, 'properties', properties), 'must be an object of schemas')
}

function requiredNames(node: PlainNode): readonly string[] {
  const { required } = node.schema
  // In draft 3 it is a boolean of the property itself.
  if (required === undefined || typeof required === 'boolean') return []
  const isList = Array.isArray(required) && required.every((name) => typeof name === 'string')
  if (!isList) throw schemaError(nodeAt(node, 'required', required), 'must be a list of names')
  return required as string[]
}

/** Returns a rule for a name and its value; undefined if the property must be absent. */
function pairOf(
  context: SchemaContext,
  plain: readonly PlainNode[],
  name: string,
  place: Place,
): string | undefined {
  const { rules } = context
  if (!isAllowedName(context, plain, name)) return undefined
  try {
    const value = context.convertInside(
      plain.flatMap((node) => schemasOf(context, node, name)),
      place,
    )
    return rules.add(name, `${literal(JSON.stringify(name))} ":" ${rules.json('ws')} ${value}`)
  } catch (error) {
    if (error instanceof Unsatisfiable && !isOnlyWay(plain, name)) return undefined
    throw error
  }
}

const isOnlyWay = (plain: readonly PlainNode[], name: string): boolean =>
  plain.some((node) => requiredNames(node).includes(name))

/** Returns the schemas that one schema has for the property. */
function schemasOf(context: SchemaContext, node: PlainNode, name: string): readonly SchemaNode[] {
  const properties = propertiesOf(node)
  const own = Object.hasOwn(properties, name) ? [nodeAt(node, `properties.${name}`, properties[name])] : []
  const matching = matchingPatterns(context, node, name)
  if (own.length > 0 || matching.length > 0) return [...own, ...matching]
  const { additionalProperties = true } = node.schema
  return [nodeAt(node, 'additionalProperties', additionalProperties)]
}

function freePair(
  context: SchemaContext,
  { name, values, isAnything }: FreeName,
  place: Place,
): { readonly pair: string; readonly isAnything: boolean } | undefined {
  const { rules } = context
  try {
    const value = context.convertInside(values, place)
    return { pair: `${name} ":" ${rules.json('ws')} ${value}`, isAnything: isAnything && value === 'value' }
  } catch (error) {
    if (error instanceof Unsatisfiable) return undefined
    throw error
  }
}

/** The pairs of an object with commas between them, within the limits of their number. */
class PairSequence {
  readonly #context: SchemaContext
  readonly #node: PlainNode
  readonly #pairs: readonly Property[]
  readonly #further: string | undefined
  readonly #least: number
  readonly #most: number
  readonly #known = new Map<string, string | undefined>()

  constructor(
    context: SchemaContext,
    node: PlainNode,
    pairs: readonly Property[],
    further: string | undefined,
    limits: ReturnType<typeof limitsOf>,
  ) {
    const required = pairs.filter(({ isRequired }) => isRequired).length
    const { minimum, maximum = Infinity } = limits
    this.#context = context
    this.#node = node
    this.#pairs = pairs
    this.#further = further
    this.#least = minimum <= required ? 0 : minimum
    this.#most = further === undefined && maximum >= pairs.length ? Infinity : maximum
  }

  write(): string {
    const all = this.#from(0, 0, true)
    if (all === undefined)
      throw new Unsatisfiable(this.#node, 'has no properties that fit the limits of their number')
    return all
  }

  /** Returns the expression from the property at `index` on, after `count` pairs; undefined if there is none. */
  #from(index: number, count: number, isFirst: boolean): string | undefined {
    // Counts above the limits are equivalent; without limits, all counts are.
    const seen = Math.min(count, this.#most === Infinity ? this.#least : Infinity)
    if (seen > this.#most) return undefined
    const key = `${index},${seen},${isFirst}`
    if (this.#known.has(key)) return this.#known.get(key)
    const body = index === this.#pairs.length ? this.#tail(seen, isFirst) : this.#step(index, seen, isFirst)
    const named =
      body === undefined ? undefined : this.#context.rules.add(`${this.#node.path}-${index}`, body)
    this.#known.set(key, named)
    return named
  }

  #step(index: number, count: number, isFirst: boolean): string | undefined {
    const { pair, isRequired } = this.#pairs[index]!
    const after = this.#from(index + 1, count + 1, false)
    const without = isRequired ? undefined : this.#from(index + 1, count, isFirst)
    const ws = this.#context.rules.json('ws')
    const taken = after === undefined ? [] : [`${isFirst ? '' : `"," ${ws} `}${pair} ${after}`]
    const ways = [...taken, ...(without === undefined ? [] : [without])]
    return ways.length === 0 ? undefined : ways.join(' | ')
  }

  /** Returns the further properties after those of the schema. */
  #tail(count: number, isFirst: boolean): string | undefined {
    const ws = this.#context.rules.json('ws')
    const wanted = Math.max(0, this.#least - count)
    const most = this.#most === Infinity ? undefined : this.#most - count
    if (this.#further === undefined || most === 0) return wanted > 0 ? undefined : ws
    // A repeated free name would count once.
    if (wanted > 1)
      this.#context.cannot(this.#node, 'minProperties', 'can only be enforced up to one free name')
    const least = Math.min(wanted, 1)
    const next = `( "," ${ws} ${this.#further} )`
    if (!isFirst) return `${repeat(next, least, most)} ${ws}`
    const some = `${this.#further} ${repeat(next, Math.max(0, least - 1), most === undefined ? undefined : most - 1)} ${ws}`
    return least > 0 ? some : `( ${some} )?`
  }
}
