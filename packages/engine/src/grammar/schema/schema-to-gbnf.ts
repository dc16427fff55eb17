import type { Grammar, JsonGrammar } from '../../engine.ts'
import { GrammarTooLarge, literal, oneOf, RuleSet } from '../gbnf/rule-set.ts'
import { SchemaCompiler } from './schema-compiler.ts'
import { schemaError, type SchemaDocument, Unsatisfiable } from './schema-node.ts'

/**
 * Compiles a form to a GBNF grammar of the JSON texts that it allows. Properties are in the order of the schema.
 * @throws InvalidRequestError that names the place in the schema and the fault.
 */
export function schemaToGbnf(grammar: Exclude<Grammar, { readonly type: 'gbnf' | 'regex' }>): string {
  const rules = new RuleSet()
  if (grammar.type !== 'either') return rules.toSource(expressionOf(grammar, rules))
  // Calls of many tools are allowed with and without a frame: duplicate rules would be too many.
  const expressions = new Map<JsonGrammar, string>()
  const forms = grammar.forms.map(({ before = '', after = '', grammar: form }) => {
    const expression = expressions.get(form) ?? expressionOf(form, rules)
    expressions.set(form, expression)
    return [literal(before), expression, literal(after)].filter((part) => part !== '""').join(' ')
  })
  return rules.toSource(oneOf(forms))
}

function expressionOf(grammar: JsonGrammar, rules: RuleSet): string {
  if (grammar.type === 'json-object') return rules.json('object')
  const { schema, name = '', strict = true, documents = {} } = grammar
  const document: SchemaDocument = { name, root: schema, strict }
  const others = Object.entries(documents).map(
    ([id, { schema: root, strict: isStrict = true }]) => [id, { name: id, root, strict: isStrict }] as const,
  )
  const compiler = new SchemaCompiler(rules, new Map(others))
  try {
    return compiler.convert([{ schema, path: '$', document }], { depth: 0, open: new Set() })
  } catch (error) {
    if (error instanceof GrammarTooLarge) throw schemaError({ path: '$', document }, 'is too large')
    throw error instanceof Unsatisfiable ? schemaError(error.node, error.problem) : error
  }
}
