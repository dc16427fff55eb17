import { Lexer } from 'yaml'

/** Far more than any configuration needs. The parser calls itself for each level, and may take the square of their number. */
const MAX_DEPTH = 64
/** The parser compares each key of a mapping with all keys before it. */
const MAX_KEYS = 10_000

/** The lexer's marks, which take no place in the text: of a document, of an error, and in front of the text of a scalar. */
const SCALAR_FOLLOWS = '\x1f'
const MARKS: ReadonlySet<string> = new Set(['\x02', '\x18', SCALAR_FOLLOWS])

/** What a text has too much of, and from which offset on. */
export interface OutOfBounds {
  readonly offset: number
  readonly message: string
}

/** Finds what would take the parser minutes, in a time that is linear in the text. */
export function findOutOfBounds(text: string): OutOfBounds | undefined {
  const depth = new Depth()
  let offset = 0
  let keys = 0
  let isScalar = false
  for (const token of new Lexer().lex(text)) {
    if (isScalar || !MARKS.has(token)) {
      if (isScalar) depth.readScalar(token)
      else depth.read(token)
      if (!isScalar && token === ':') keys++
      if (depth.total > MAX_DEPTH)
        return { offset, message: 'lists and keys are nested more deeply than in any configuration.' }
      if (keys > MAX_KEYS)
        return { offset, message: `a configuration has no more than ${MAX_KEYS} keys, and here is one more.` }
      offset += token.length
    }
    isScalar = !isScalar && token === SCALAR_FOLLOWS
  }
  return undefined
}

/** Counts the levels around a token: flow collections, and in a block the line's indentation and what its indicators open. */
class Depth {
  #flow = 0
  #indentation = 0
  #indicators = 0
  #isLineStart = true

  get total(): number {
    return this.#flow + this.#indentation + this.#indicators
  }

  readScalar(text: string): void {
    this.#isLineStart = false
    // The text of a block scalar ends with its last line.
    if (/[\r\n]$/.test(text)) this.#startLine()
  }

  read(token: string): void {
    if (/^[\r\n]/.test(token)) return this.#startLine()
    if (this.#isLineStart && /^ /.test(token)) this.#indentation = token.length
    this.#isLineStart = false
    if (token === '[' || token === '{') this.#flow++
    else if (token === ']' || token === '}') this.#flow = Math.max(0, this.#flow - 1)
    // `- - - x` opens three levels.
    else if (this.#flow === 0 && /^[-?:]$/.test(token)) this.#indicators++
  }

  #startLine(): void {
    this.#isLineStart = true
    this.#indentation = 0
    this.#indicators = 0
  }
}
