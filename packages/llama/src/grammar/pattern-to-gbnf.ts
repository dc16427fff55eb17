import { literal, oneOf, repeat } from './json-rules.ts'
import { MAX_REPETITIONS, schemaError } from './schema-error.ts'

/** Inside a JSON string: anything but a quote, a backslash or a control character. */
const ANY = '[^"\\\\\\x7F\\x00-\\x1F]'
const ESCAPED_CLASSES: Readonly<Record<string, string>> = { d: '0-9', w: 'a-zA-Z0-9_', s: ' ' }
const MAX_DEPTH = 50

/**
 * The inside of a JSON string that matches a regular expression (ECMA 262, as JSON schema has it). Without anchors the
 * match may stand anywhere. @throws InvalidRequestError for what a grammar can't say: look-around, back references.
 */
export function patternToGbnf(pattern: string, path: string): string {
  return new PatternReader(pattern, path).read()
}

class PatternReader {
  readonly #source: string
  readonly #path: string
  #position = 0
  #depth = 0

  constructor(source: string, path: string) {
    this.#source = source
    this.#path = path
    try {
      new RegExp(source, 'u')
    } catch {
      throw schemaError(path, `is no regular expression: ${JSON.stringify(source)}`)
    }
  }

  read(): string {
    const body = this.#alternatives(true)
    if (this.#position < this.#source.length) throw this.#unsupported('a bracket without its partner')
    return body
  }

  /** `isTop`: anchors are allowed at the ends, and implied to be missing where they are. */
  #alternatives(isTop: boolean): string {
    const alternatives = [this.#sequence(isTop)]
    while (this.#take('|')) alternatives.push(this.#sequence(isTop))
    return oneOf(alternatives)
  }

  #sequence(isTop: boolean): string {
    const parts: string[] = []
    if (isTop && !this.#take('^')) parts.push(`${ANY}*`)
    let isAnchored = false
    while (this.#position < this.#source.length && !'|)'.includes(this.#peek())) {
      if (isTop && this.#take('$')) isAnchored = true
      else if (isAnchored) throw this.#unsupported('a $ in the middle')
      else parts.push(this.#quantified())
    }
    if (isTop && !isAnchored) parts.push(`${ANY}*`)
    return parts.join(' ') || '""'
  }

  #quantified(): string {
    const atom = this.#atom()
    const quantifier = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})/.exec(this.#source.slice(this.#position))
    if (quantifier === null) return atom
    this.#position += quantifier[0].length
    this.#take('?') // lazy or greedy is the same to a grammar
    const [text, least, comma, most] = quantifier
    if (text === '*') return repeat(atom, 0, undefined)
    if (text === '+') return repeat(atom, 1, undefined)
    if (text === '?') return repeat(atom, 0, 1)
    const minimum = Number(least)
    const maximum = most ? Number(most) : comma ? undefined : minimum
    if (Math.max(minimum, maximum ?? 0) > MAX_REPETITIONS)
      throw this.#unsupported(`more than ${MAX_REPETITIONS} repetitions`)
    return repeat(atom, minimum, maximum) || '""'
  }

  #atom(): string {
    const character = this.#next()
    switch (character) {
      case '(':
        return this.#group()
      case '[':
        return this.#class()
      case '.':
        return ANY
      case '\\':
        return this.#escape()
      case '^':
      case '$':
        throw this.#unsupported(`${character} in the middle`)
      default:
        return literal(inJson(character))
    }
  }

  #group(): string {
    if (this.#take('?')) {
      const isPlain = this.#take(':') || /^<[A-Za-z]\w*>/.test(this.#source.slice(this.#position))
      if (!isPlain) throw this.#unsupported('look-around')
      if (this.#peek() === '<') this.#position = this.#source.indexOf('>', this.#position) + 1
    }
    if (++this.#depth > MAX_DEPTH) throw this.#unsupported(`more than ${MAX_DEPTH} brackets in each other`)
    const body = this.#alternatives(false)
    this.#depth--
    this.#take(')')
    return `( ${body} )`
  }

  #escape(): string {
    const character = this.#next()
    const known = ESCAPED_CLASSES[character]
    if (known) return `[${known}]`
    const inverse = ESCAPED_CLASSES[character.toLowerCase()]
    if (inverse) return `[^${inverse}"\\\\\\x7F\\x00-\\x1F]`
    return literal(inJson(this.#unescaped(character)))
  }

  /** The character that an escape stands for. */
  #unescaped(character: string): string {
    if (character === 'u' || character === 'x') {
      const digits = /^(?:[0-9a-fA-F]{4}|[0-9a-fA-F]{2})/.exec(this.#source.slice(this.#position))?.[0] ?? ''
      const wanted = digits.slice(0, character === 'u' ? 4 : 2)
      this.#position += wanted.length
      return String.fromCharCode(parseInt(wanted, 16))
    }
    if (/[a-zA-Z0-9]/.test(character)) throw this.#unsupported(`\\${character}`)
    return character
  }

  #class(): string {
    const isNegated = this.#take('^')
    let body = ''
    const special: string[] = []
    while (!this.#take(']')) {
      const character = this.#next()
      const plain = character === '\\' ? this.#classEscape() : character
      if (plain.length === 1 && '"\\'.includes(plain)) special.push(plain)
      else body += plain.length > 1 || character === '-' ? plain : inClass(plain)
    }
    if (isNegated) return `[^${body}"\\\\\\x7F\\x00-\\x1F]`
    const alternatives = [
      ...(body === '' ? [] : [`[${body}]`]),
      ...special.map((each) => literal(inJson(each))),
    ]
    if (alternatives.length === 0) throw this.#unsupported('an empty class')
    return oneOf(alternatives)
  }

  #classEscape(): string {
    const character = this.#next()
    const known = ESCAPED_CLASSES[character]
    if (known) return known
    const plain = this.#unescaped(character)
    return plain === '-' || plain === ']' || plain === '^' ? inClass(plain) + '' : plain
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

  #unsupported(what: string) {
    return schemaError(
      this.#path,
      `has what can't be enforced here (${what}): ${JSON.stringify(this.#source)}`,
    )
  }
}

/** A character as JSON writes it inside a string. */
const inJson = (character: string): string => JSON.stringify(character).slice(1, -1)

/** A character inside a GBNF class: by its number where it would mean something. */
function inClass(character: string): string {
  const code = character.codePointAt(0)!
  return /[-\]^\\[\u0000-\u0020]/.test(character) ? `\\x${code.toString(16).padStart(2, '0')}` : character
}
