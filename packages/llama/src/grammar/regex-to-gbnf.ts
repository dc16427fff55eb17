import { InvalidRequestError } from '@petals-chat/engine'
import { GrammarTooLarge, RuleSet } from './gbnf/rule-set.ts'
import { automatonOf } from './regular/automaton.ts'
import { automatonToGbnf } from './regular/automaton-to-gbnf.ts'
import { patternLanguage } from './regular/pattern-language.ts'
import { UnsupportedPattern } from './regular/pattern-syntax.ts'
import { Regulars, TooComplex } from './regular/regular.ts'

/** The grammar of the texts that a regular expression matches as a whole. @throws InvalidRequestError */
export function regexToGbnf(pattern: string): string {
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
