import { type Pattern, readPattern, UnsupportedPattern } from './pattern-syntax.ts'
import type { Regular, Regulars } from './regular.ts'

/**
 * Returns the language of texts in which a regular expression finds a match, anywhere unless it has anchors. Look-ahead is an
 * intersection with the rest of the text. @throws SyntaxError, UnsupportedPattern, TooComplex
 */
export function patternLanguage(source: string, regulars: Regulars): Regular {
  const pattern = readPattern(source, (escape) => regulars.charsMatching(escape))
  const build = new PatternBuilder(regulars)
  const atStart = build.before(pattern, regulars.anything, true)
  const later = build.before(pattern, regulars.anything, false)
  if (later === atStart) return regulars.sequence(regulars.anything, later)
  return regulars.either(atStart, regulars.sequence(regulars.anyChar, regulars.anything, later))
}

class PatternBuilder {
  readonly #regulars: Regulars

  constructor(regulars: Regulars) {
    this.#regulars = regulars
  }

  /** Returns the matches of the pattern followed by `rest`. `isStart` means that no text precedes them. */
  before(pattern: Pattern, rest: Regular, isStart: boolean): Regular {
    const regulars = this.#regulars
    switch (pattern.kind) {
      case 'chars':
        return regulars.sequence(regulars.chars(pattern.chars), rest)
      case 'either':
        return regulars.either(...pattern.parts.map((part) => this.before(part, rest, isStart)))
      case 'row': {
        const first = pattern.parts.findIndex((part) => !isZeroWidth(part))
        return pattern.parts.reduceRight(
          (after, part, index) => this.before(part, after, isStart && (first === -1 || index <= first)),
          rest,
        )
      }
      case 'repeat':
        return this.#repeat(pattern, rest, isStart)
      case 'start':
        return isStart ? rest : regulars.nothing
      case 'end':
        return rest.nullable ? regulars.empty : regulars.nothing
      case 'ahead': {
        const seen = this.before(pattern.part, regulars.anything, isStart)
        return regulars.both(rest, pattern.negated ? regulars.not(seen) : seen)
      }
    }
  }

  #repeat(pattern: Extract<Pattern, { kind: 'repeat' }>, rest: Regular, isStart: boolean): Regular {
    const regulars = this.#regulars
    const { part, least, most } = pattern
    if (!hasAssertion(part)) {
      const once = this.before(part, regulars.empty, isStart)
      return regulars.sequence(regulars.repeat(once, least, most), rest)
    }
    if (least === 0 && most === 1) return regulars.either(rest, this.before(part, rest, isStart))
    throw new UnsupportedPattern('a repeated anchor or look-ahead')
  }
}

const isZeroWidth = ({ kind }: Pattern): boolean => kind === 'start' || kind === 'end' || kind === 'ahead'

function hasAssertion(pattern: Pattern): boolean {
  if (pattern.kind === 'chars') return false
  if (pattern.kind === 'repeat') return hasAssertion(pattern.part)
  return isZeroWidth(pattern) || ('parts' in pattern && pattern.parts.some(hasAssertion))
}
