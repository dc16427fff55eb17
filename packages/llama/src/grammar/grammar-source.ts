import { type Grammar, InvalidRequestError } from '@petals-chat/engine'
import { checkGbnf } from './gbnf/check-gbnf.ts'
import { schemaToGbnf } from './schema/schema-to-gbnf.ts'
import { GrammarTooLarge, RuleSet } from './gbnf/rule-set.ts'
import { automatonOf } from './regular/automaton.ts'
import { automatonToGbnf } from './regular/automaton-to-gbnf.ts'
import { patternLanguage } from './regular/pattern-language.ts'
import { UnsupportedPattern } from './regular/pattern-syntax.ts'
import { Regulars, TooComplex } from './regular/regular.ts'

/** Of the last grammars: the same few schemas come with every request of a program. */
const MAX_CACHED = 50
const cache = new Map<string, string>()

/**
 * The GBNF of a grammar, checked so far that llama.cpp can read it without harm.
 * @throws InvalidRequestError that says where in the schema or grammar it is wrong.
 */
export function grammarSource(grammar: Grammar): string {
  if (grammar.type === 'gbnf') {
    checkGbnf(grammar.source)
    return grammar.source
  }
  const key = stringify(grammar)
  const known = cache.get(key)
  if (known !== undefined) return known
  const source = grammar.type === 'regex' ? regexToGbnf(grammar.pattern) : schemaToGbnf(grammar)
  checkGbnf(source)
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

/** The grammar of the texts that a regular expression matches as a whole. @throws InvalidRequestError */
function regexToGbnf(pattern: string): string {
  const regulars = new Regulars()
  const rules = new RuleSet()
  try {
    const automaton = automatonOf(patternLanguage(`^(?:${pattern})$`, regulars), regulars)
    if (automaton.length === 0) throw refused('no text matches it')
    return rules.toSource(automatonToGbnf(automaton, rules, 'text', 'plain'))
  } catch (error) {
    if (error instanceof SyntaxError) throw refused('it is none of ECMAScript')
    if (error instanceof UnsupportedPattern) throw refused(`it has what can't be enforced (${error.message})`)
    if (error instanceof TooComplex || error instanceof GrammarTooLarge)
      throw refused('it takes more work than a grammar may; make its repetitions smaller')
    throw error
  }
}

const refused = (problem: string): InvalidRequestError =>
  new InvalidRequestError(`The regular expression can't be used: ${problem}.`, { param: 'grammar' })
