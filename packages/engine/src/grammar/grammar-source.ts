import type { Grammar } from '../engine.ts'
import { InvalidRequestError } from '../errors.ts'
import { readGbnf } from './gbnf/read-gbnf.ts'
import { schemaToGbnf } from './schema/schema-to-gbnf.ts'
import { GrammarTooLarge, RuleSet } from './gbnf/rule-set.ts'
import { automatonOf } from './regular/automaton.ts'
import { automatonToGbnf } from './regular/automaton-to-gbnf.ts'
import { patternLanguage } from './regular/pattern-language.ts'
import { UnsupportedPattern } from './regular/pattern-syntax.ts'
import { Regulars, TooComplex } from './regular/regular.ts'

/** Programs send the same few schemas with each request, so the sources of the last grammars are cached. */
const MAX_CACHED = 50
const cache = new Map<string, string>()

/**
 * Returns the GBNF of a grammar, after checking that llama.cpp can read and follow it safely.
 * @throws InvalidRequestError that names the place of the fault in the schema or grammar.
 */
export function grammarSource(grammar: Grammar): string {
  if (grammar.type === 'gbnf') {
    readGbnf(grammar.source)
    return grammar.source
  }
  const key = stringify(grammar)
  const known = cache.get(key)
  if (known !== undefined) return known
  const source = grammar.type === 'regex' ? regexToGbnf(grammar.pattern) : schemaToGbnf(grammar)
  readGbnf(source)
  if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value!)
  cache.set(key, source)
  return source
}

function stringify(grammar: Grammar): string {
  try {
    return JSON.stringify(grammar)
  } catch {
    throw new InvalidRequestError('The JSON schema must be plain JSON.', { param: 'grammar' })
  }
}

/** Compiles a regular expression to a grammar of the texts that it matches as a whole. @throws InvalidRequestError */
function regexToGbnf(pattern: string): string {
  const regulars = new Regulars()
  const rules = new RuleSet()
  try {
    const automaton = automatonOf(patternLanguage(`^(?:${pattern})$`, regulars), regulars)
    if (automaton.length === 0) throw refused('no text matches it')
    return rules.toSource(automatonToGbnf(automaton, rules, 'text', 'plain'))
  } catch (error) {
    if (error instanceof SyntaxError) throw refused('it is not valid in ECMAScript')
    if (error instanceof UnsupportedPattern)
      throw refused(`it contains what can't be enforced (${error.message})`)
    if (error instanceof TooComplex || error instanceof GrammarTooLarge)
      throw refused('it exceeds the work limit of a grammar; make its repetitions smaller')
    throw error
  }
}

const refused = (problem: string): InvalidRequestError =>
  new InvalidRequestError(`The regular expression can't be used: ${problem}.`, { param: 'grammar' })
