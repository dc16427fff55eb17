import { type Grammar, InvalidRequestError } from '@petals-chat/engine'
import { checkGbnf } from './gbnf/check-gbnf.ts'
import { regexToGbnf } from './regex-to-gbnf.ts'
import { schemaToGbnf } from './schema/schema-to-gbnf.ts'

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
