import type { Code, Construct, Effects, State, TokenizeContext } from 'micromark-util-types'
import { characterOf, isLineEnd, isSpace } from './characters.ts'
import { endsWithMark, environmentEnd, environments } from './formula-marks.ts'

/**
 * Formulas on lines of their own: between lines of `$$`, between `\[` and `\]`, and `\begin{align}` to `\end{align}`.
 * As in fenced code, nothing in them is a list, a quotation or a heading, and an unclosed formula continues to the
 * end, as it does while it is being written. A formula that begins on the line of its `$$` must be closed before
 * the next blank line.
 */
export const formulaFlow: Construct = {
  name: 'formulaFlow',
  concrete: true,
  tokenize(effects, ok, nok) {
    return tokenizeFormula(this, effects, ok, nok)
  },
}

function tokenizeFormula(context: TokenizeContext, effects: Effects, ok: State, nok: State): State {
  let line = ''
  let block: OpenBlock | undefined
  return begin

  function begin(code: Code): State | undefined {
    effects.enter('formulaFlow')
    effects.enter('formulaData')
    return firstLine(code)
  }

  function firstLine(code: Code): State | undefined {
    if (!isLineEnd(code)) {
      effects.consume(code)
      line += characterOf(code)
      return mayOpen(line) ? firstLine : nok
    }
    const first = openBlock(line)
    if (!first) return nok(code)
    if (context.interrupt) return first === 'closed' || !first.endsAtBlank ? ok(code) : nok(code)
    effects.exit('formulaData')
    if (first === 'closed') return finish(code)
    block = first
    return nextLine(code)
  }

  function nextLine(code: Code): State | undefined {
    return effects.attempt(sameContainer, lineStart, unclosed)(code)
  }

  function lineStart(code: Code): State | undefined {
    line = ''
    if (code === null) return unclosed(code)
    if (isLineEnd(code)) return block!.endsAtBlank ? nok(code) : nextLine(code)
    effects.enter('formulaData')
    return inside(code)
  }

  function inside(code: Code): State | undefined {
    if (isLineEnd(code)) {
      effects.exit('formulaData')
      return block!.endsAtBlank && line.trim() === '' ? nok(code) : nextLine(code)
    }
    effects.consume(code)
    line += characterOf(code)
    if (!block!.isClosedBy(line)) return inside
    effects.exit('formulaData')
    return effects.check(restIsBlank, spaces, rest)
  }

  function spaces(code: Code): State | undefined {
    if (isLineEnd(code)) return finish(code)
    effects.enter('whitespace')
    return toLineEnd((next) => {
      effects.exit('whitespace')
      return finish(next)
    })(code)
  }

  /** Text after the closing mark is a paragraph. */
  function rest(code: Code): State | undefined {
    effects.exit('formulaFlow')
    effects.enter('looseParagraph')
    effects.enter('chunkText', { contentType: 'text' })
    return toLineEnd((next) => {
      effects.exit('chunkText')
      effects.exit('looseParagraph')
      return ok(next)
    })(code)
  }

  function toLineEnd(then: State): State {
    return function more(code): State | undefined {
      if (isLineEnd(code)) return then(code)
      effects.consume(code)
      return more
    }
  }

  function unclosed(code: Code): State | undefined {
    return block!.endsAtBlank ? nok(code) : finish(code)
  }

  function finish(code: Code): State | undefined {
    effects.exit('formulaFlow')
    return ok(code)
  }
}

interface OpenBlock {
  /** The formula began on the line of its mark: if a blank line comes before its end, the text is prose. */
  readonly endsAtBlank: boolean
  isClosedBy(line: string): boolean
}

const environmentStart = new RegExp(`^\\\\begin(\\{(?:${environments.join('|').replaceAll('*', '\\*')})\\})`)
const openings = ['$$', '\\[', '\\begin{']

/** Checks the first characters only, so that other lines are not read in full. */
function mayOpen(line: string): boolean {
  return openings.some((mark) => mark.startsWith(line.slice(0, mark.length)))
}

function openBlock(line: string): OpenBlock | 'closed' | undefined {
  const environment = environmentStart.exec(line)
  if (environment) return openEnvironment(environment[1]!, line)
  const mark = line.slice(0, 2)
  if (mark !== '$$' && mark !== '\\[') return undefined
  const closing = mark === '$$' ? '$$' : '\\]'
  const content = line.slice(2)
  const end = indexOfMark(content, closing)
  if (end >= 0)
    return end > 0 && content.slice(end + 2).trim() === '' && content.slice(0, end).trim()
      ? 'closed'
      : undefined
  if (content.startsWith('$')) return undefined
  const endsAtBlank = content.trim() !== ''
  if (endsAtBlank && mark === '$$' && !/[\\^_=<>{}+]/.test(content)) return undefined
  return { endsAtBlank, isClosedBy: (text) => endsWithMark(text, closing) }
}

function openEnvironment(name: string, line: string): OpenBlock | 'closed' | undefined {
  const isClosedBy = environmentEnd(name)
  for (let end = '\\begin'.length + name.length + 1; end <= line.length; end++)
    if (isClosedBy(line.slice(0, end))) return line.slice(end).trim() === '' ? 'closed' : undefined
  return { endsAtBlank: false, isClosedBy }
}

/** Returns the index of an unescaped mark; -1 if there is none. */
function indexOfMark(text: string, mark: string): number {
  for (let index = 0; index < text.length; index++) {
    if (text.startsWith(mark, index)) return index
    if (text[index] === '\\') index++
  }
  return -1
}

/** Accepts the next line if it belongs to the same list item or quotation. */
const sameContainer: Construct = {
  partial: true,
  tokenize(effects, ok, nok) {
    return (code) => {
      if (code === null) return nok(code)
      effects.enter('lineEnding')
      effects.consume(code)
      effects.exit('lineEnding')
      return (next) => (this.parser.lazy[this.now().line] ? nok(next) : ok(next))
    }
  },
}

const restIsBlank: Construct = {
  partial: true,
  tokenize(effects, ok, nok) {
    let entered = false
    return function next(code): State | undefined {
      if (isLineEnd(code)) {
        if (entered) effects.exit('whitespace')
        return ok(code)
      }
      if (!isSpace(code)) return nok(code)
      if (!entered) effects.enter('whitespace')
      entered = true
      effects.consume(code)
      return next
    }
  },
}
