import { boundedRepeat } from '../gbnf/bounded-repeat.ts'
import { UnsupportedPattern } from '../regular/pattern-syntax.ts'
import { charSet } from '../regular/char-set.ts'
import { type Regular, TooComplex } from '../regular/regular.ts'
import { excludedPatterns, excludedValues, type SchemaCompiler } from './schema-compiler.ts'
import { limitsOf, nodeAt, type PlainNode, schemaError, Unsatisfiable } from './schema-node.ts'
import { stringFormats } from './string-formats.ts'

/** Texts that all the schemas allow. */
export function stringBody(compiler: SchemaCompiler, plain: readonly PlainNode[]): string {
  const { rules } = compiler
  const limits = limitsOf(plain, ['minLength', 'maxLength'])
  const language = stringLanguage(compiler, plain)
  if (language) return withLength(compiler, plain, language, limits) ?? withoutLanguage()
  return withoutLanguage()

  function withoutLanguage(): string {
    if (limits.minimum === 0 && limits.maximum === undefined) return rules.json('string')
    return quoted(boundedRepeat(rules, rules.json('char'), limits.minimum, limits.maximum))
  }
}

/** Where an expression leaves a text open, line ends are no use. */
const printable = charSet([
  [0x20, 0x7e],
  [0x80, 0x10ffff],
])
const mentionsLineEnds = /\\[nrsSDW]|\[\^/

const quoted = (inside: string): string => `"\\"" ${inside} "\\""`

function withLength(
  compiler: SchemaCompiler,
  plain: readonly PlainNode[],
  language: Regular,
  { minimum, maximum = Infinity }: ReturnType<typeof limitsOf>,
): string | undefined {
  const { regulars } = compiler
  const [node] = plain
  const limited = regulars.both(language, regulars.repeat(regulars.anyChar, minimum, maximum))
  try {
    const inside = compiler.language(limited, node!.path)
    if (inside === undefined) throw new Unsatisfiable(node!, 'allows no text')
    return quoted(inside)
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error
    const key = plain.find(({ schema }) => 'pattern' in schema) ?? node!
    compiler.cannot(
      key,
      'pattern' in key.schema ? 'pattern' : 'format',
      'takes more work than a grammar may: make its repetitions, or maxLength beside it, smaller',
    )
    return undefined
  }
}

/** What patterns, formats and exclusions demand; undefined if nothing. */
export function stringLanguage(compiler: SchemaCompiler, plain: readonly PlainNode[]): Regular | undefined {
  const { regulars } = compiler
  const patterns = plain.flatMap((node) => patternOf(compiler, node) ?? [])
  const formats = patterns.length > 0 ? [] : plain.flatMap((node) => formatOf(compiler, node) ?? [])
  const refused = excludedPatterns(plain).flatMap((each) => {
    const language = readPattern(compiler, plain[0]!, 'not', each)
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

function patternOf(compiler: SchemaCompiler, node: PlainNode): Regular | undefined {
  const { pattern } = node.schema
  if (pattern === undefined) return undefined
  if (typeof pattern !== 'string') throw schemaError(nodeAt(node, 'pattern', pattern), 'must be a text')
  return readPattern(compiler, node, 'pattern', pattern)
}

function formatOf(compiler: SchemaCompiler, node: PlainNode): Regular | undefined {
  const { format } = node.schema
  const pattern = typeof format === 'string' ? stringFormats.get(format) : undefined
  return pattern === undefined ? undefined : readPattern(compiler, node, 'format', `^(?:${pattern})$`)
}

/** A regular expression, and a text that the schema names; `unread` is the answer where the expression can't be kept to. */
interface PatternQuestion {
  readonly pattern: string
  readonly text: string
  readonly unread: boolean
}

/** Whether the expression finds a match in the text. */
export function matchesPattern(
  compiler: SchemaCompiler,
  node: PlainNode,
  key: string,
  { pattern, text, unread }: PatternQuestion,
): boolean {
  const language = languageOf(compiler, node, key, pattern)
  try {
    return language === undefined ? unread : compiler.regulars.matches(language, text)
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error
    compiler.cannot(node, key, tooMuchWork(pattern))
    return unread
  }
}

/** The texts that a regular expression finds a match in; undefined where the schema need not be kept exactly. */
export function readPattern(
  compiler: SchemaCompiler,
  node: PlainNode,
  key: string,
  pattern: string,
): Regular | undefined {
  const { regulars } = compiler
  const language = languageOf(compiler, node, key, pattern)
  if (language === undefined || key !== 'pattern' || mentionsLineEnds.test(pattern)) return language
  return regulars.both(language, regulars.repeat(regulars.chars(printable), 0, Infinity))
}

function languageOf(
  compiler: SchemaCompiler,
  node: PlainNode,
  key: string,
  pattern: string,
): Regular | undefined {
  try {
    return compiler.pattern(pattern)
  } catch (error) {
    if (error instanceof SyntaxError)
      throw schemaError(nodeAt(node, key, pattern), `is no regular expression: ${JSON.stringify(pattern)}`)
    if (error instanceof UnsupportedPattern) {
      compiler.cannot(
        node,
        key,
        `has what can't be enforced here (${error.message}): ${JSON.stringify(pattern)}`,
      )
    } else if (error instanceof TooComplex) {
      compiler.cannot(node, key, tooMuchWork(pattern))
    } else throw error
    return undefined
  }
}

const tooMuchWork = (pattern: string): string =>
  `takes more work than a grammar may: ${JSON.stringify(pattern)}`
