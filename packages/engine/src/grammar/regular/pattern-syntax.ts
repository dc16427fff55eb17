import { type CharSet, charsOf, charSet, complement, union } from './char-set.ts'

/** A parsed regular expression. */
export type Pattern =
  | { readonly kind: 'chars'; readonly chars: CharSet }
  | { readonly kind: 'row'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'either'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly part: Pattern; readonly least: number; readonly most: number }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'ahead'; readonly part: Pattern; readonly negated: boolean }

/** The expression contains what a grammar can't express; the message names it. */
export class UnsupportedPattern extends Error {
  override readonly name = 'UnsupportedPattern'
}

const MAX_DEPTH = 50
const MAX_LENGTH = 4000
const lineEnds: CharSet = charSet([
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
])
const letters: Readonly<Record<string, string>> = { t: '\t', n: '\n', v: '\v', f: '\f', r: '\r', 0: '\0' }

type CharsMatching = (escape: string) => CharSet

/** Parses a regular expression of ECMA-262. @throws SyntaxError, UnsupportedPattern, and the errors of `charsMatching` */
export function readPattern(source: string, charsMatching: CharsMatching): Pattern {
  // Generators write `\-` and `[\w-.]`, which only expressions without the flag u allow.
  if (!isPattern(source, 'u')) new RegExp(source)
  if (source.length > MAX_LENGTH) throw new UnsupportedPattern(`more than ${MAX_LENGTH} characters`)
  return new PatternReader(source, charsMatching).read()
}

function isPattern(source: string, flags: string): boolean {
  try {
    new RegExp(source, flags)
    return true
  } catch {
    return false
  }
}

class PatternReader {
  readonly #source: string
  readonly #charsMatching: CharsMatching
  #position = 0
  #depth = 0

  constructor(source: string, charsMatching: CharsMatching) {
    this.#source = source
    this.#charsMatching = charsMatching
  }

  read(): Pattern {
    const pattern = this.#either()
    if (this.#position < this.#source.length) throw new UnsupportedPattern('an unmatched bracket')
    return pattern
  }

  #either(): Pattern {
    const parts = [this.#row()]
    while (this.#take('|')) parts.push(this.#row())
    return parts.length === 1 ? parts[0]! : { kind: 'either', parts }
  }

  #row(): Pattern {
    const parts: Pattern[] = []
    while (this.#position < this.#source.length && !'|)'.includes(this.#peek()))
      parts.push(this.#quantified())
    return { kind: 'row', parts }
  }

  #quantified(): Pattern {
    const part = this.#atom()
    const quantifier = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})/.exec(
      this.#source.slice(this.#position, this.#position + 40),
    )
    if (quantifier === null) return part
    this.#position += quantifier[0].length
    this.#take('?') // lazy or greedy is the same to a grammar
    const [text, least, comma, most] = quantifier
    if (text === '*') return { kind: 'repeat', part, least: 0, most: Infinity }
    if (text === '+') return { kind: 'repeat', part, least: 1, most: Infinity }
    if (text === '?') return { kind: 'repeat', part, least: 0, most: 1 }
    const minimum = Number(least)
    return { kind: 'repeat', part, least: minimum, most: most ? Number(most) : comma ? Infinity : minimum }
  }

  #atom(): Pattern {
    const character = this.#next()
    switch (character) {
      case '(':
        return this.#group()
      case '[':
        return { kind: 'chars', chars: this.#class() }
      case '.':
        return { kind: 'chars', chars: complement(lineEnds) }
      case '^':
        return { kind: 'start' }
      case '$':
        return { kind: 'end' }
      case '\\':
        return { kind: 'chars', chars: this.#escape(false) }
      default:
        return { kind: 'chars', chars: charsOf(character) }
    }
  }

  #group(): Pattern {
    const opening = /^(?:\?(?::|=|!|<[A-Za-z_$][\w$]*>))?/.exec(this.#source.slice(this.#position))![0]
    if (opening === '' && this.#peek() === '?') throw new UnsupportedPattern('look-behind or a flag')
    this.#position += opening.length
    if (++this.#depth > MAX_DEPTH) throw new UnsupportedPattern(`more than ${MAX_DEPTH} nested brackets`)
    const part = this.#either()
    this.#depth--
    this.#take(')')
    return opening === '?=' || opening === '?!' ? { kind: 'ahead', part, negated: opening === '?!' } : part
  }

  #class(): CharSet {
    const isNegated = this.#take('^')
    const sets: CharSet[] = []
    while (!this.#take(']')) {
      const from = this.#classAtom()
      const isRange = this.#peek() === '-' && this.#source[this.#position + 1] !== ']'
      if (!isRange || from.length !== 1 || from[0]![0] !== from[0]![1]) {
        sets.push(from)
        continue
      }
      this.#position++
      const to = this.#classAtom()
      if (to.length === 1 && to[0]![0] === to[0]![1]) sets.push(charSet([[from[0]![0], to[0]![0]]]))
      else sets.push(from, charsOf('-'), to)
    }
    return isNegated ? complement(union(sets)) : union(sets)
  }

  #classAtom(): CharSet {
    const character = this.#next()
    return character === '\\' ? this.#escape(true) : charsOf(character)
  }

  #escape(isInClass: boolean): CharSet {
    const character = this.#next()
    if ('dDwWsS'.includes(character)) return this.#charsMatching(`\\${character}`)
    if (character === 'p' || character === 'P') {
      const name = /^\{[^{}]{1,60}\}/.exec(this.#source.slice(this.#position, this.#position + 64))?.[0]
      if (name === undefined) return charsOf(character)
      this.#position += name.length
      const chars = this.#charsMatching(`\\p${name}`)
      return character === 'p' ? chars : complement(chars)
    }
    if (isInClass && character === 'b') return charsOf('\b')
    const letter = letters[character]
    if (letter !== undefined) return charsOf(letter)
    const code = this.#codeEscape(character)
    if (code !== undefined) return charsOf(code)
    if (/[a-zA-Z0-9]/.test(character)) throw new UnsupportedPattern(`\\${character}`)
    return charsOf(character)
  }

  /** Reads the character of `\x41`, `\u0041`, `\u{1F600}` or `\cA`; undefined for other escapes. */
  #codeEscape(kind: string): string | undefined {
    const forms: Readonly<Record<string, RegExp>> = {
      x: /^([0-9a-fA-F]{2})/,
      u: /^(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{4}))/,
      c: /^([a-zA-Z])/,
    }
    const found = forms[kind]?.exec(this.#source.slice(this.#position, this.#position + 8))
    if (!found) return undefined
    this.#position += found[0].length
    const text = (found[1] ?? found[2])!
    if (kind === 'c') return String.fromCodePoint(text.toUpperCase().charCodeAt(0) - 64)
    const code = parseInt(text, 16)
    if (code >= 0xd800 && code <= 0xdfff) throw new UnsupportedPattern('half a surrogate pair')
    if (code > 0x10ffff) throw new UnsupportedPattern('a character beyond U+10FFFF')
    return String.fromCodePoint(code)
  }

  #peek(): string {
    return this.#source[this.#position] ?? ''
  }

  #next(): string {
    const character = String.fromCodePoint(this.#source.codePointAt(this.#position) ?? 0)
    this.#position += character.length
    return character
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false
    this.#position++
    return true
  }
}
