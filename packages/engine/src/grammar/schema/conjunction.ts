import { negation, notEnum } from './negation.ts'
import type { References } from './references.ts'
import {
  isSchema,
  nodeAt,
  type PlainNode,
  type Schema,
  schemaError,
  type SchemaNode,
  Unsatisfiable,
} from './schema-node.ts'
import { isScalarOnly, listedScalars } from './scalar-types.ts'

/** Alternatives of which at least one must hold. */
export interface Choice {
  readonly id: number
  readonly options: readonly SchemaNode[]
}

/** Schemas and choices that must all hold at once. */
export interface Conjunction {
  readonly plain: readonly PlainNode[]
  readonly choices: readonly Choice[]
}

/** Keywords for people, or for programs that process the answer: they restrict nothing. */
const annotations = new Set(
  '$schema $id id $comment $anchor $dynamicAnchor $vocabulary $defs definitions title description default examples example deprecated readOnly writeOnly contentEncoding contentMediaType contentSchema discriminator xml externalDocs nullable'.split(
    ' ',
  ),
)
const joining = new Set(
  '$ref allOf anyOf oneOf not if then else dependentRequired dependentSchemas dependencies'.split(' '),
)
const MAX_PARTS = 200

interface Split extends Conjunction {
  /** Further schemas that must also hold. */
  readonly parts: readonly SchemaNode[]
}

/** Splits schemas into conjunctions. Results are cached, so that the same schema always yields the same objects. */
export class Conjunctions {
  readonly #references: References
  readonly #ids = new WeakMap<object, number>()
  readonly #splits = new Map<object, Split>()
  #count = 0

  constructor(references: References) {
    this.#references = references
  }

  idOf(object: object): number {
    const id = this.#ids.get(object) ?? ++this.#count
    this.#ids.set(object, id)
    return id
  }

  /** @throws Unsatisfiable if one of the schemas is `false`. */
  of(nodes: readonly SchemaNode[], base: Conjunction = { plain: [], choices: [] }): Conjunction {
    const plain = new Map(base.plain.map((node) => [node.schema as object, node]))
    const choices = new Map(base.choices.map((choice) => [choice.id, choice]))
    const seen = new Set<unknown>()
    const open = [...nodes].reverse()
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (node.schema === false) throw new Unsatisfiable(node, 'is false: no value fits it')
      if (node.schema === true || seen.has(node.schema)) continue
      if (!isSchema(node.schema)) throw schemaError(node, 'must be a schema: an object or a boolean')
      seen.add(node.schema)
      if (seen.size > MAX_PARTS) throw schemaError(node, `joins more than ${MAX_PARTS} schemas`)
      const split = this.#split(node as PlainNode)
      for (const each of split.plain) plain.set(each.schema, each)
      for (const choice of split.choices) choices.set(choice.id, choice)
      open.push(...[...split.parts].reverse())
    }
    return { plain: [...plain.values()], choices: [...choices.values()] }
  }

  #split(node: PlainNode): Split {
    const known = this.#splits.get(node.schema)
    if (known) return known
    const split = node.schema.nullable === true ? this.#nullable(node) : this.#joined(node)
    this.#splits.set(node.schema, split)
    return split
  }

  #choice(options: readonly SchemaNode[]): Choice {
    return { id: ++this.#count, options }
  }

  #nullable(node: PlainNode): Split {
    const { nullable: _, ...rest } = node.schema
    const options = [
      { ...node, schema: rest },
      { ...node, schema: { type: 'null' } },
    ]
    return { plain: [], parts: [], choices: [this.#choice(options)] }
  }

  #joined(node: PlainNode): Split {
    const { schema } = node
    const keys = Reflect.ownKeys(schema).filter(
      (key) => typeof key !== 'string' || !(annotations.has(key) || joining.has(key)),
    )
    const own = Object.fromEntries(keys.map((key) => [key, Reflect.get(schema, key) as unknown]))
    const plain = keys.length === 0 ? [] : [{ ...node, schema: own }]
    return { plain, parts: this.#parts(node), choices: this.#choices(node) }
  }

  #parts(node: PlainNode): readonly SchemaNode[] {
    const { $ref, allOf, not } = node.schema
    return [
      ...($ref === undefined ? [] : [this.#references.resolve($ref, node)]),
      ...(allOf === undefined ? [] : listOf(node, 'allOf', allOf)),
      ...(not === undefined ? [] : this.#not(nodeAt(node, 'not', not))),
    ]
  }

  #not(node: SchemaNode): readonly SchemaNode[] {
    const negated = negation(node, this.#references)
    if (negated) return [negated]
    if (node.document.strict) throw schemaError(node, "can't be enforced by a grammar; leave it out")
    return []
  }

  #choices(node: PlainNode): readonly Choice[] {
    const { anyOf, oneOf } = node.schema
    return [
      ...(anyOf === undefined ? [] : [this.#choice(listOf(node, 'anyOf', anyOf))]),
      ...(oneOf === undefined ? [] : [this.#choice(this.#exclusive(listOf(node, 'oneOf', oneOf)))]),
      ...this.#conditions(node),
      ...dependencies(node).map((options) => this.#choice(options)),
    ]
  }

  /** Makes alternatives of scalar values exclude each other. For objects, authors mean "any of these" (docs/structured-outputs.md). */
  #exclusive(options: readonly SchemaNode[]): readonly SchemaNode[] {
    // Lists of values are compared as lists: one exclusion for each pair would grow with the square of their number.
    const lists = options.map(listedScalars)
    const [values, repeated] = [new Set<unknown>(), new Set<unknown>()]
    for (const list of lists)
      for (const value of list ?? []) (values.has(value) ? repeated : values).add(value)
    const ranges = options.filter((option, index) => !lists[index] && isScalarOnly(option, this.#references))
    if (ranges.length > MAX_PARTS)
      throw schemaError(ranges[MAX_PARTS]!, `joins more than ${MAX_PARTS} schemas`)
    const negated = new Map(ranges.map((option) => [option, negation(option, this.#references)?.schema]))
    return options.map((option, index) => {
      if (!lists[index] && !negated.has(option)) return option
      const others = [...negated].flatMap(([other, schema]) => (other === option ? [] : (schema ?? [])))
      const excluded = [...(lists[index] ? repeated : values)]
      const distinct = excluded.length > 0 ? [{ [notEnum]: excluded }] : []
      return { ...option, schema: { allOf: [option.schema, ...others, ...distinct] } }
    })
  }

  #conditions(node: PlainNode): readonly Choice[] {
    const { if: condition, then = true, else: otherwise = true } = node.schema
    if (condition === undefined || (then === true && otherwise === true)) return []
    const met = { ...node, schema: { allOf: [condition, then] } }
    const negated = negation(nodeAt(node, 'if', condition), this.#references)
    if (negated) return [this.#choice([met, { ...node, schema: { allOf: [negated.schema, otherwise] } }])]
    if (node.document.strict)
      throw schemaError(nodeAt(node, 'if', condition), "can't be enforced by a grammar")
    return []
  }
}

function listOf(node: PlainNode, key: string, value: unknown): readonly SchemaNode[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw schemaError(nodeAt(node, key, value), 'must be a list of schemas')
  }
  return value.map((schema: unknown, index) => nodeAt(node, `${key}[${index}]`, schema))
}

/** Returns the alternatives of `dependentRequired` and similar keywords: the name is absent, or its dependency holds. */
function dependencies(node: PlainNode): ReadonlyArray<readonly SchemaNode[]> {
  const { schema } = node
  return ['dependentRequired', 'dependentSchemas', 'dependencies'].flatMap((key) => {
    const table = schema[key]
    if (table === undefined) return []
    if (!isSchema(table)) throw schemaError(nodeAt(node, key, table), 'must be an object')
    return Object.entries(table).map(([name, needs]) => {
      const present: Schema = { required: [name, ...(Array.isArray(needs) ? (needs as unknown[]) : [])] }
      const place = nodeAt(node, `${key}.${name}`, true)
      const whole = Array.isArray(needs) ? present : { allOf: [present, needs] }
      return [
        { ...place, schema: { type: 'object', properties: { [name]: false } } },
        { ...place, schema: { type: 'object', allOf: [whole] } },
      ]
    })
  })
}
