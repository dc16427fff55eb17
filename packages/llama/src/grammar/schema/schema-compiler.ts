import { Conjunctions, type Conjunction } from './conjunction.ts'
import { arrayBody } from './array-to-gbnf.ts'
import { enumerated, literals } from './enumeration.ts'
import { MAX_RULES, oneOf, type RuleSet } from '../gbnf/rule-set.ts'
import { notEnum, notPattern } from './negation.ts'
import { numberBody } from './number-to-gbnf.ts'
import { objectBody } from './object-to-gbnf.ts'
import { References } from './references.ts'
import { automatonOf } from '../regular/automaton.ts'
import { automatonToGbnf } from '../regular/automaton-to-gbnf.ts'
import { patternLanguage } from '../regular/pattern-language.ts'
import { type Regular, Regulars, TooComplex } from '../regular/regular.ts'
import {
  nodeAt,
  type PlainNode,
  schemaError,
  type SchemaDocument,
  type SchemaNode,
  Unsatisfiable,
} from './schema-node.ts'
import { stringBody } from './string-to-gbnf.ts'
import { typesOf } from './types-of.ts'

/** Objects and lists in each other; a recursive schema comes back to a rule that is known. */
const MAX_DEPTH = 150
/** Alternatives are combined with all that holds beside them: these bound the work. */
const MAX_CONVERSIONS = 20_000
const MAX_WORK = 1_000_000
/** Characters of all regular expressions of a schema. */
const MAX_PATTERN_LENGTH = 200_000

/** Where an expression stands: what is converted, without a character between, and how deep it lies. */
export interface Place {
  readonly depth: number
  /** Rules that are being made and have not consumed a character since. */
  readonly open: ReadonlySet<string>
}

/** Turns schemas into expressions, and adds the rules that these use. */
export class SchemaCompiler {
  readonly rules: RuleSet
  readonly regulars = new Regulars()
  readonly #conjunctions: Conjunctions
  readonly #known = new Map<string, string>()
  readonly #languages = new Map<Regular, string | undefined>()
  readonly #patterns = new Map<string, Regular | Error>()
  #patternLength = 0
  #conversions = 0
  #work = 0

  constructor(rules: RuleSet, documents: ReadonlyMap<string, SchemaDocument>) {
    this.rules = rules
    this.#conjunctions = new Conjunctions(new References(documents))
  }

  /** The texts that all the schemas allow. @throws InvalidRequestError, Unsatisfiable */
  convert(nodes: readonly SchemaNode[], place: Place): string {
    const [node] = nodes
    if (node && place.depth > MAX_DEPTH)
      throw schemaError(node, `is nested more than ${MAX_DEPTH} levels deep`)
    return this.#conjunction(this.#conjunctions.of(nodes), node, place)
  }

  /** What the keywords of schemas allow inside an object or a list. */
  convertInside(nodes: readonly SchemaNode[], { depth }: Place): string {
    return this.convert(nodes, { depth: depth + 1, open: new Set() })
  }

  /** The schemas without what joins them; undefined where they leave a choice. */
  plainOf(nodes: readonly SchemaNode[]): readonly PlainNode[] | undefined {
    const { plain, choices } = this.#conjunctions.of(nodes)
    return choices.length === 0 ? plain : undefined
  }

  /** What a grammar can't say: refused of strict schemas, left out of others. */
  cannot(node: PlainNode, key: string, problem = "can't be enforced by this engine; leave it out"): void {
    if (node.document.strict) throw schemaError(nodeAt(node, key, undefined), problem)
  }

  /** The texts in which a regular expression finds a match. @throws SyntaxError, UnsupportedPattern, TooComplex */
  pattern(source: string): Regular {
    const known = this.#patterns.get(source) ?? this.#readPattern(source)
    this.#patterns.set(source, known)
    if (known instanceof Error) throw known
    return known
  }

  #readPattern(source: string): Regular | Error {
    this.#patternLength += source.length
    if (this.#patternLength > MAX_PATTERN_LENGTH) return new TooComplex()
    try {
      return patternLanguage(source, this.regulars)
    } catch (error) {
      return error as Error
    }
  }

  /** Takes note of work that grows with the schema. @throws InvalidRequestError if it is more than a request may ask for. */
  spend(amount: number, node: SchemaNode): void {
    this.#work += amount
    if (this.#work > MAX_WORK) throw schemaError({ ...node, path: '$' }, 'is too large')
  }

  /** The texts of a language; undefined if there are none. @throws TooComplex */
  language(language: Regular, wish: string): string | undefined {
    if (this.#languages.has(language)) return this.#languages.get(language)
    const automaton = automatonOf(language, this.regulars)
    if (this.rules.size + automaton.length > MAX_RULES) throw new TooComplex()
    const expression = automaton.length === 0 ? undefined : automatonToGbnf(automaton, this.rules, wish)
    this.#languages.set(language, expression)
    return expression
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

  /** The rule has its name before it is made, so that what lies within can refer to it. */
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

  /** Those that anything fits. */
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

/** Values that a `not` beside these schemas forbids. */
export const excludedValues = (plain: readonly PlainNode[]): readonly unknown[] =>
  plain.flatMap(({ schema }) => (Reflect.get(schema, notEnum) as unknown[] | undefined) ?? [])

export const excludedPatterns = (plain: readonly PlainNode[]): readonly string[] =>
  plain.flatMap(({ schema }) => (Reflect.get(schema, notPattern) as string[] | undefined) ?? [])
