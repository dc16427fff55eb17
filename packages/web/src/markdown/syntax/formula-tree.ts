import type { Extension, Token } from 'mdast-util-from-markdown'
import type { Literal } from 'mdast'

/** An inline formula; `display`: large, on a line of its own. */
export interface InlineMath extends Literal {
  type: 'inlineMath'
  display: boolean
}

/** A block formula. */
export interface Math extends Literal {
  type: 'math'
}

declare module 'mdast' {
  interface PhrasingContentMap {
    inlineMath: InlineMath
  }
  interface BlockContentMap {
    math: Math
  }
  interface RootContentMap {
    inlineMath: InlineMath
    math: Math
  }
}
declare module 'micromark-util-types' {
  interface TokenTypeMap {
    formulaText: 'formulaText'
    formulaFlow: 'formulaFlow'
    formulaData: 'formulaData'
  }
}

/** Turns formulas into nodes, without the marks around them. */
export const formulaTree: Extension = {
  enter: {
    formulaText(token) {
      this.enter({ type: 'inlineMath', value: '', display: false }, token)
      this.buffer()
    },
    formulaFlow(token) {
      this.enter({ type: 'math', value: '' }, token)
      this.buffer()
    },
  },
  exit: {
    formulaText(token) {
      const source = this.resume()
      const node = this.stack.at(-1) as InlineMath
      node.display = !/^(?:\$(?!\$)|\\\()/.test(source) && !isInlineEnvironment(source)
      // A table reads `\|` as a literal bar.
      node.value = withoutMarks(this.data.inTable ? source.replaceAll('\\|', '|') : source)
      this.exit(token)
    },
    formulaFlow(token) {
      const source = this.resume()
      const node = this.stack.at(-1) as Math
      node.value = withoutMarks(source)
      this.exit(token)
    },
    formulaData(token: Token) {
      this.config.enter['data']!.call(this, token)
      this.config.exit['data']!.call(this, token)
    },
  },
}

/** Reports whether an environment, such as a matrix or cases, stays inline. */
function isInlineEnvironment(source: string): boolean {
  return /^\\begin\{(?!(?:equation|align|alignat|gather)\*?\})/.test(source)
}

function withoutMarks(source: string): string {
  if (source.startsWith('\\begin')) return source
  const text = source.trim()
  const [opening, closing] = marks.find(([mark]) => text.startsWith(mark))!
  const body = text.slice(opening.length)
  return (body.endsWith(closing) ? body.slice(0, -closing.length) : body).trim()
}

const marks = [
  ['$$', '$$'],
  ['$', '$'],
  ['\\(', '\\)'],
  ['\\[', '\\]'],
] as const
