import { MAX_RULES, type RuleSet } from '../gbnf/rule-set.ts'
import { automatonOf } from '../regular/automaton.ts'
import { automatonToGbnf } from '../regular/automaton-to-gbnf.ts'
import { patternLanguage } from '../regular/pattern-language.ts'
import { type Regular, Regulars, TooComplex } from '../regular/regular.ts'
import { nodeAt, type PlainNode, schemaError, type SchemaNode } from './schema-node.ts'

const MAX_WORK = 1_000_000
/** Characters of all regular expressions of a schema. */
const MAX_PATTERN_LENGTH = 200_000

/** Where an expression stands in the grammar. */
export interface Place {
  /** How many objects and lists it lies in. */
  readonly depth: number
  /** Rules that are being compiled and have not consumed a character since. */
  readonly open: ReadonlySet<string>
}

/** What the compilers of all types share: the grammar's rules and languages, and the limits of the work on them. */
export abstract class SchemaContext {
  readonly rules: RuleSet
  readonly regulars = new Regulars()
  readonly #languages = new Map<Regular, string | undefined>()
  readonly #patterns = new Map<string, Regular | Error>()
  #patternLength = 0
  #work = 0

  constructor(rules: RuleSet) {
    this.rules = rules
  }

  /** Returns an expression for the values that all the schemas allow, inside an object or a list. */
  abstract convertInside(nodes: readonly SchemaNode[], place: Place): string

  /** Returns the schemas without the keywords that join schemas; undefined if they leave a choice. */
  abstract plainOf(nodes: readonly SchemaNode[]): readonly PlainNode[] | undefined

  /** Handles what a grammar can't express: it is an error in strict schemas, and ignored in others. */
  cannot(node: PlainNode, key: string, problem = "can't be enforced by this engine; leave it out"): void {
    if (node.document.strict) throw schemaError(nodeAt(node, key, undefined), problem)
  }

  /** Returns the language of texts in which a regular expression finds a match. @throws SyntaxError, UnsupportedPattern, TooComplex */
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

  /** Counts work that grows with the schema. @throws InvalidRequestError beyond the limit of a request */
  spend(amount: number, node: SchemaNode): void {
    this.#work += amount
    if (this.#work > MAX_WORK) throw schemaError({ ...node, path: '$' }, 'is too large')
  }

  /** Returns an expression for the texts of a language; undefined if there are none. @throws TooComplex */
  language(language: Regular, ruleName: string): string | undefined {
    if (this.#languages.has(language)) return this.#languages.get(language)
    const automaton = automatonOf(language, this.regulars)
    if (this.rules.size + automaton.length > MAX_RULES) throw new TooComplex()
    const expression = automaton.length === 0 ? undefined : automatonToGbnf(automaton, this.rules, ruleName)
    this.#languages.set(language, expression)
    return expression
  }
}
