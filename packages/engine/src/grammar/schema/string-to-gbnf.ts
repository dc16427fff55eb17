import { boundedRepeat } from '../gbnf/bounded-repeat.ts'
import { UnsupportedPattern } from '../regular/pattern-syntax.ts'
import { charSet } from '../regular/char-set.ts'
import { type Regular, TooComplex } from '../regular/regular.ts'
import { excludedPatterns, excludedValues } from './negation.ts'
import type { SchemaContext } from './schema-context.ts'
import { limitsOf, nodeAt, type PlainNode, schemaError, Unsatisfiable } from './schema-node.ts'

/** Returns an expression for the strings that all the schemas allow. */
export function stringBody(context: SchemaContext, plain: readonly PlainNode[]): string {
  const { rules } = context
  const limits = limitsOf(plain, ['minLength', 'maxLength'])
  const language = stringLanguage(context, plain)
  if (language) return withLength(context, plain, language, limits) ?? withoutLanguage()
  return withoutLanguage()

  function withoutLanguage(): string {
    if (limits.minimum === 0 && limits.maximum === undefined) return rules.json('string')
    return quoted(boundedRepeat(rules, rules.json('char'), limits.minimum, limits.maximum))
  }
}

/** Where a pattern allows any text, line ends are excluded as useless. */
const printable = charSet([
  [0x20, 0x7e],
  [0x80, 0x10ffff],
])
const mentionsLineEnds = /\\[nrsSDW]|\[\^/

const quoted = (inside: string): string => `"\\"" ${inside} "\\""`

function withLength(
  context: SchemaContext,
  plain: readonly PlainNode[],
  language: Regular,
  { minimum, maximum = Infinity }: ReturnType<typeof limitsOf>,
): string | undefined {
  const { regulars } = context
  const [node] = plain
  const limited = regulars.both(language, regulars.repeat(regulars.anyChar, minimum, maximum))
  try {
    const inside = context.language(limited, node!.path)
    if (inside === undefined) throw new Unsatisfiable(node!, 'allows no text')
    return quoted(inside)
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error
    const key = plain.find(({ schema }) => 'pattern' in schema) ?? node!
    context.cannot(
      key,
      'pattern' in key.schema ? 'pattern' : 'format',
      'exceeds the work limit of a grammar: make its repetitions, or the maxLength beside it, smaller',
    )
    return undefined
  }
}

/** Returns the language that patterns, formats and exclusions require; undefined if there are none. */
export function stringLanguage(context: SchemaContext, plain: readonly PlainNode[]): Regular | undefined {
  const { regulars } = context
  const patterns = plain.flatMap((node) => patternOf(context, node) ?? [])
  const formats = patterns.length > 0 ? [] : plain.flatMap((node) => formatOf(context, node) ?? [])
  const refused = excludedPatterns(plain).flatMap((each) => {
    const language = readPattern(context, plain[0]!, 'not', each)
    return language ? [regulars.not(language)] : []
  })
  const values = excludedValues(plain).filter((value) => typeof value === 'string')
  const parts = [
    ...patterns,
    ...formats,
    ...refused,
    ...values.map((value) => regulars.not(regulars.text(value))),
  ]
  if (parts.length === 0) return undefined
  return regulars.both(...parts)
}

function patternOf(context: SchemaContext, node: PlainNode): Regular | undefined {
  const { pattern } = node.schema
  if (pattern === undefined) return undefined
  if (typeof pattern !== 'string') throw schemaError(nodeAt(node, 'pattern', pattern), 'must be a text')
  return readPattern(context, node, 'pattern', pattern)
}

function formatOf(context: SchemaContext, node: PlainNode): Regular | undefined {
  const { format } = node.schema
  const pattern = typeof format === 'string' ? stringFormats.get(format) : undefined
  return pattern === undefined ? undefined : readPattern(context, node, 'format', `^(?:${pattern})$`)
}

/** A regular expression and a text of the schema. `unread` is the result if the expression can't be enforced. */
interface PatternQuestion {
  readonly pattern: string
  readonly text: string
  readonly unread: boolean
}

/** Reports whether the expression finds a match in the text. */
export function matchesPattern(
  context: SchemaContext,
  node: PlainNode,
  key: string,
  { pattern, text, unread }: PatternQuestion,
): boolean {
  const language = languageOf(context, node, key, pattern)
  try {
    return language === undefined ? unread : context.regulars.matches(language, text)
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error
    context.cannot(node, key, tooMuchWork(pattern))
    return unread
  }
}

/** Returns the language of a regular expression; undefined if it can't be enforced and the schema is not strict. */
export function readPattern(
  context: SchemaContext,
  node: PlainNode,
  key: string,
  pattern: string,
): Regular | undefined {
  const { regulars } = context
  const language = languageOf(context, node, key, pattern)
  if (language === undefined || key !== 'pattern' || mentionsLineEnds.test(pattern)) return language
  return regulars.both(language, regulars.repeat(regulars.chars(printable), 0, Infinity))
}

function languageOf(
  context: SchemaContext,
  node: PlainNode,
  key: string,
  pattern: string,
): Regular | undefined {
  try {
    return context.pattern(pattern)
  } catch (error) {
    if (error instanceof SyntaxError)
      throw schemaError(nodeAt(node, key, pattern), `is not a regular expression: ${JSON.stringify(pattern)}`)
    if (error instanceof UnsupportedPattern) {
      context.cannot(
        node,
        key,
        `contains what can't be enforced here (${error.message}): ${JSON.stringify(pattern)}`,
      )
    } else if (error instanceof TooComplex) {
      context.cannot(node, key, tooMuchWork(pattern))
    } else throw error
    return undefined
  }
}

const tooMuchWork = (pattern: string): string =>
  `exceeds the work limit of a grammar: ${JSON.stringify(pattern)}`

/** Formats as regular expressions. Other formats are only annotations, as the standard allows. */
const day31 = '(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])'
const day30 = '(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)'
const date = `[0-9]{4}-(?:${day31}|${day30}|02-(?:0[1-9]|1[0-9]|2[0-8]))`
const time =
  '(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])'
const octet = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?'
const hostname = `${label}(?:\\.${label}){0,4}`

const stringFormats: ReadonlyMap<string, string> = new Map([
  ['date', date],
  ['time', time],
  ['date-time', `${date}T${time}`],
  [
    'duration',
    'P(?:[0-9]{1,4}W|(?=[0-9T])(?:[0-9]{1,4}Y)?(?:[0-9]{1,4}M)?(?:[0-9]{1,4}D)?(?:T(?=[0-9])(?:[0-9]{1,4}H)?(?:[0-9]{1,4}M)?(?:[0-9]{1,4}S)?)?)',
  ],
  ['uuid', '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'],
  ['ipv4', `${octet}(?:\\.${octet}){3}`],
  ['ipv6', '(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}'],
  ['hostname', hostname],
  ['email', `[a-zA-Z0-9](?:[._+-]?[a-zA-Z0-9]){0,30}@${label}(?:\\.${label}){1,3}`],
  ['uri', `(?:https?|ftp)://${hostname}(?::[0-9]{2,5})?(?:/(?:[a-zA-Z0-9._~/?#&=+-]|%[0-9A-F]{2})*)?`],
])
