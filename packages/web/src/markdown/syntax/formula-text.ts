import type { Code, Construct, Effects, State, TokenizeContext } from 'micromark-util-types'
import { characterOf, codes, isBlank, isLineEnding, isWord } from './characters.ts'
import { endsWithMark, environmentEnd, environments } from './formula-marks.ts'

/**
 * Formulas within a line, as Pandoc reads them: `$x$` with no space inside the dollars, `$$x$$`, `\(x\)`, `\[x\]`,
 * `\begin{align}…\end{align}`. Stricter than Pandoc, so that prices and shell variables stay prose: no letter or digit
 * touches single dollars from outside, and the content has no backtick.
 */
export const formulaText: Construct = {
  name: 'formulaText',
  tokenize(effects, ok, nok) {
    return tokenizeFormula(this, effects, ok, nok)
  },
}

/** Offsets at which a search for a closing mark has failed: a search that begins earlier would fail there too. */
const failures = new WeakMap<TokenizeContext, Map<string, number>>()

function tokenizeFormula(context: TokenizeContext, effects: Effects, ok: State, nok: State): State {
  const before = context.previous
  const start = context.now().offset
  let opening = ''
  /** The text since the opening mark. */
  let text = ''
  let close: FormulaEnd | undefined
  return begin

  function begin(code: Code): State | undefined {
    effects.enter('formulaText')
    effects.enter('formulaData')
    return open(code)
  }

  function open(code: Code): State | undefined {
    const next = opening + characterOf(code)
    if (code !== null && isOpening(next)) {
      opening = next
      effects.consume(code)
      return open
    }
    close = formulaEnd(opening, before, code)
    if (!close || start < (failures.get(context)?.get(opening) ?? 0)) return nok(code)
    return inside(code)
  }

  function inside(code: Code): State | undefined {
    if (code === null || code === codes.backtick) return fail(code)
    if (isLineEnding(code)) return lineEnding(code)
    effects.consume(code)
    text += characterOf(code)
    const found = close!(text)
    if (found === 'never') return nok
    return found === 'end' ? after : inside
  }

  function lineEnding(code: Code): State | undefined {
    effects.exit('formulaData')
    effects.enter('lineEnding')
    effects.consume(code)
    effects.exit('lineEnding')
    text += '\n'
    return lineStart
  }

  function lineStart(code: Code): State | undefined {
    // Micromark has no empty tokens.
    if (code === null || isLineEnding(code)) return nok(code)
    effects.enter('formulaData')
    return inside(code)
  }

  function after(code: Code): State | undefined {
    if (opening !== '$') return finish(code)
    if (code === codes.dollar) return nok(code)
    return isWord(code) ? effects.check(ordinal, finish, nok)(code) : finish(code)
  }

  function finish(code: Code): State | undefined {
    effects.exit('formulaData')
    effects.exit('formulaText')
    return ok(code)
  }

  function fail(code: Code): State | undefined {
    const known = failures.get(context) ?? new Map<string, number>()
    failures.set(context, known.set(opening, context.now().offset))
    return nok(code)
  }
}

/** Decides whether the text so far ends the formula, or can't become one. */
type FormulaEnd = (text: string) => 'end' | 'never' | undefined

const openings = ['$', '$$', '\\(', '\\[', ...environments.map((name) => `\\begin{${name}}`)]
const beginnings = new Set(openings.flatMap((mark) => [...mark].map((_, index) => mark.slice(0, index + 1))))
const isOpening = (text: string): boolean => beginnings.has(text)

function formulaEnd(opening: string, before: Code, next: Code): FormulaEnd | undefined {
  if (!openings.includes(opening)) return undefined
  if (opening === '$') return isBlank(next) || isWord(before) ? undefined : singleDollar
  if (opening === '$$') return before === codes.dollar || next === codes.dollar ? undefined : markEnd('$$')
  if (opening.startsWith('\\begin')) {
    const isEnd = environmentEnd(opening.slice('\\begin'.length))
    return (text) => (isEnd(text) ? 'end' : undefined)
  }
  return markEnd(opening === '\\(' ? '\\)' : '\\]')
}

function singleDollar(text: string): 'end' | 'never' | undefined {
  if (!endsWithMark(text, '$')) return undefined
  // The first closing dollar decides, as in Pandoc: `$5 for $x$` has one formula.
  const content = text.slice(0, -1)
  return content !== '' && !/\s$/.test(content) && !isProse(content) ? 'end' : 'never'
}

/**
 * Recognizes prose between two amounts or variables: `$USER, or A$`, `$5 or 6$`, `$5和10$`. Formulas put words in
 * `\text{…}`.
 */
function isProse(content: string): boolean {
  if (/[\\^_=+*<>|{}()[\]]/.test(content)) return false
  if (/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(content)) return true
  return /\s/.test(content) && /\p{L}{3}|^\d.*\p{L}{2}/su.test(content)
}

const markEnd =
  (closing: string): FormulaEnd =>
  (text) => {
    if (!endsWithMark(text, closing)) return undefined
    return text.length > closing.length && text.slice(0, -closing.length).trim() ? 'end' : 'never'
  }

/** The only letters that may follow a closing dollar: `$n$th`, `$x$s`. */
const ordinal: Construct = {
  partial: true,
  tokenize(effects, ok, nok) {
    let letters = ''
    return function next(code): State | undefined {
      if (!isWord(code)) return /^(?:st|nd|rd|th|s)$/.test(letters) ? ok(code) : nok(code)
      if (letters.length > 2) return nok(code)
      if (letters === '') effects.enter('formulaData')
      effects.consume(code)
      letters += characterOf(code)
      return next
    }
  },
}
