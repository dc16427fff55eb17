import { Conjunctions, type Conjunction } from './conjunction.ts'
import { arrayBody } from './array-to-gbnf.ts'
import { enumerated, literals } from './enumeration.ts'
import { MAX_RULES, oneOf, type RuleSet } from '../gbnf/rule-set.ts'
import { excludedValues } from './negation.ts'
import { numberBody } from './number-to-gbnf.ts'
import { objectBody } from './object-to-gbnf.ts'
import { References } from './references.ts'
import {
  type PlainNode,
  schemaError,
  type SchemaDocument,
  type SchemaNode,
  Unsatisfiable,
} from './schema-node.ts'
import { type Place, SchemaContext } from './schema-context.ts'
import { stringBody } from './string-to-gbnf.ts'
import { typesOf } from './types-of.ts'

/** The deepest nesting of objects and lists; a recursive schema returns to a known rule. */
const MAX_DEPTH = 150
/** Alternatives are combined with all schemas that hold beside them: this bounds the work. */
const MAX_CONVERSIONS = 20_000

/** Compiles schemas to expressions and adds the rules that they use. */
export class SchemaCompiler extends SchemaContext {
  readonly #conjunctions: Conjunctions
  /** The names of rules, by what they are compiled from. */
  readonly #known = new Map<string, string>()
  #conversions = 0

  constructor(rules: RuleSet, documents: ReadonlyMap<string, SchemaDocument>) {
    super(rules)
    this.#conjunctions = new Conjunctions(new References(documents))
  }

  /** Returns an expression for the texts that all the schemas allow. @throws InvalidRequestError, Unsatisfiable */
  convert(nodes: readonly SchemaNode[], place: Place): string {
    const [node] = nodes
    if (node && place.depth > MAX_DEPTH)
      throw schemaError(node, `is nested more than ${MAX_DEPTH} levels deep`)
    return this.#conjunction(this.#conjunctions.of(nodes), node, place)
  }

  convertInside(nodes: readonly SchemaNode[], { depth }: Place): string {
    return this.convert(nodes, { depth: depth + 1, open: new Set() })
  }

  plainOf(nodes: readonly SchemaNode[]): readonly PlainNode[] | undefined {
    const { plain, choices } = this.#conjunctions.of(nodes)
    return choices.length === 0 ? plain : undefined
  }

  #conjunction(all: Conjunction, first: SchemaNode | undefined, place: Place): string {
    const [node = first] = all.plain
    if (all.plain.length === 0 && all.choices.length === 0) return this.rules.json('value')
    if (this.rules.size > MAX_RULES || ++this.#conversions > MAX_CONVERSIONS) {
      throw schemaError({ ...node!, path: '$' }, 'is too large')
    }
    this.spend(all.plain.length + all.choices.length, node!)
    const key = [
      ...all.plain.map(({ schema }) => this.#conjunctions.idOf(schema)),
      '',
      ...all.choices.map(({ id }) => id),
    ].join()
    const known = this.#known.get(key)
    if (known !== undefined && place.open.has(known)) throw new Unsatisfiable(node!, 'refers to itself')
    return known ?? this.#rule(key, all, node!, place)
  }

  /** The rule's name is registered before its body is compiled, so that nested schemas can refer to it. */
  #rule(key: string, all: Conjunction, node: SchemaNode, place: Place): string {
    const name = this.rules.reserve(node.path)
    this.#known.set(key, name)
    try {
      const body = this.#body(all, { ...place, open: new Set([...place.open, name]) })
      this.rules.set(name, body)
      return name
    } catch (error) {
      this.rules.forbid(name)
      if (error instanceof Unsatisfiable) this.#known.delete(key)
      throw error
    }
  }

  #body(all: Conjunction, place: Place): string {
    const [choice, ...others] = all.choices
    if (!choice) return this.#values(all.plain, place)
    return this.#alternatives(
      choice.options.map((option) => () => {
        const base = { plain: all.plain, choices: others }
        return this.#conjunction(this.#conjunctions.of([option], base), option, place)
      }),
    )
  }

  /** Joins the alternatives that are satisfiable. */
  #alternatives(makers: ReadonlyArray<() => string>): string {
    const made = new Set<string>()
    let failure: Unsatisfiable | undefined
    for (const make of makers) {
      try {
        made.add(make())
      } catch (error) {
        if (!(error instanceof Unsatisfiable)) throw error
        failure ??= error
      }
    }
    if (made.size === 0) throw failure!
    return oneOf([...made])
  }

  #values(plain: readonly PlainNode[], place: Place): string {
    const values = enumerated(this, plain)
    if (values) return oneOf(literals(values))
    const types = typesOf(plain)
    return types
      ? this.#alternatives(types.map((type) => () => this.#ofType(type, plain, place)))
      : this.rules.json('value')
  }

  #ofType(type: string, plain: readonly PlainNode[], place: Place): string {
    switch (type) {
      case 'object':
        return objectBody(this, plain, place)
      case 'array':
        return arrayBody(this, plain, place)
      case 'string':
        return stringBody(this, plain)
      case 'integer':
      case 'number':
        return numberBody(this, plain, type === 'integer')
      default:
        return this.#constant(type as 'boolean' | 'null', plain)
    }
  }

  #constant(type: 'boolean' | 'null', plain: readonly PlainNode[]): string {
    const excluded = new Set(excludedValues(plain))
    const left = (type === 'null' ? [null] : [true, false]).filter((value) => !excluded.has(value))
    if (left.length === 0) throw new Unsatisfiable(plain[0]!, 'allows no value')
    return left.length === 2 ? this.rules.json('boolean') : oneOf(literals(left))
  }
}
