import { InvalidRequestError } from '../../errors.ts'
import { MAX_GRAMMAR_LENGTH } from './rule-set.ts'
import { costlyPart, type CharRange, type GbnfAlternatives, type GbnfElement } from './costly-part.ts'

/** llama.cpp parses brackets and follows rules recursively: its stack holds a few thousand levels. */
const MAX_DEPTH = 200
const MAX_RULES = 5000
const MAX_REPETITIONS = 1000
/** Repetitions of repetitions are nested, like brackets. */
const MAX_STACKED = 3

/** The rules of a grammar by name; `root` is the first. */
export type GbnfRules = ReadonlyMap<string, GbnfAlternatives>

/**
 * Parses a GBNF grammar as llama.cpp does and refuses what would crash or hang it: the parser crashes on deep brackets and
 * hangs on repetitions whose limits are reversed; the sampler hangs at positions with very many alternatives.
 * @throws InvalidRequestError that names the line.
 */
export function readGbnf(source: string): GbnfRules {
  if (source.length > MAX_GRAMMAR_LENGTH) {
    throw grammarError(`it has ${source.length} characters; at most ${MAX_GRAMMAR_LENGTH} are allowed`)
  }
  return new GbnfReader(source).read()
}

function grammarError(problem: string): InvalidRequestError {
  return new InvalidRequestError(`The grammar can't be used: ${problem}.`, { param: 'grammar' })
}

interface CodePoint {
  readonly code: number
  readonly isDash: boolean
}

const controls: Readonly<Record<string, number>> = { t: 9, r: 13, n: 10 }

const LAST_CODE = 0x10ffff

/** Returns the code points that are in none of the ranges. */
function inverse(ranges: readonly CharRange[]): readonly CharRange[] {
  const rest: CharRange[] = []
  let next = 0
  for (const [from, to] of [...ranges].sort(([left], [right]) => left - right)) {
    if (from > next) rest.push([next, from - 1])
    next = Math.max(next, to + 1)
  }
  return next > LAST_CODE ? rest : [...rest, [next, LAST_CODE]]
}

class GbnfReader {
  readonly #source: string
  readonly #defined = new Map<string, GbnfAlternatives>()
  /** The position of the first use of each rule. */
  readonly #used = new Map<string, number>()
  #position = 0

  constructor(source: string) {
    this.#source = source
  }

  read(): GbnfRules {
    this.#skipSpace(true)
    while (this.#position < this.#source.length) this.#rule()
    if (!this.#defined.has('root')) throw grammarError("the rule 'root' is missing")
    if (this.#defined.size > MAX_RULES) throw grammarError(`it has more than ${MAX_RULES} rules`)
    for (const [name, position] of this.#used) {
      if (this.#defined.has(name)) continue
      this.#position = position
      this.#fail(`the rule '${name}' is not defined`)
    }
    const problem = costlyPart(this.#defined)
    if (problem !== undefined) throw grammarError(problem)
    return this.#defined
  }

  #rule(): void {
    const name = this.#name() ?? this.#fail('a rule must begin with a name')
    this.#skipSpace(true)
    if (!this.#take('::=')) this.#fail("'::=' is missing")
    this.#skipSpace(true)
    this.#defined.set(name, this.#alternatives(0))
    if (this.#position < this.#source.length && !this.#take('\r\n') && !this.#take('\n')) {
      this.#fail(`${JSON.stringify(this.#source[this.#position])} is not expected here`)
    }
    this.#skipSpace(true)
  }

  #alternatives(depth: number): GbnfAlternatives {
    if (depth > MAX_DEPTH) this.#fail(`brackets are nested more than ${MAX_DEPTH} deep`)
    const alternatives: GbnfElement[][] = []
    do {
      this.#skipSpace(true)
      const row: GbnfElement[] = []
      for (let element = this.#element(depth); element; element = this.#element(depth)) {
        row.push(element)
        this.#skipSpace(depth > 0)
      }
      alternatives.push(row)
    } while (this.#take('|'))
    return alternatives
  }

  /** Reads one element and its repetition; undefined if none begins here. */
  #element(depth: number): GbnfElement | undefined {
    const once = this.#once(depth)
    if (!once) return undefined
    this.#skipSpace(depth > 0)
    return this.#repetitions({ ...once, least: 1, most: 1 }, depth)
  }

  #once(depth: number): Omit<GbnfElement, 'least' | 'most'> | undefined {
    if (this.#take('"')) {
      const text = this.#codes('"', 'the text is not closed').map(({ code }) => code)
      return { text, isEmpty: text.length === 0 }
    }
    if (this.#take('[')) return { chars: this.#class() }
    if (this.#take('(')) return { group: this.#group(depth) }
    if (this.#take('<[') || this.#take('!<[')) return this.#token(']>')
    if (this.#take('<') || this.#take('!<')) return this.#token('>')
    return this.#take('.') ? { chars: inverse([]) } : this.#reference()
  }

  #reference(): Pick<GbnfElement, 'rule'> | undefined {
    const position = this.#position
    const name = this.#name()
    if (name === undefined) return undefined
    if (!this.#used.has(name)) this.#used.set(name, position)
    return { rule: name }
  }

  #group(depth: number): GbnfAlternatives {
    this.#skipSpace(true)
    const group = this.#alternatives(depth + 1)
    this.#skipSpace(true)
    if (!this.#take(')')) this.#fail("')' is missing")
    return group
  }

  #class(): readonly CharRange[] {
    const isNegated = this.#take('^')
    const codes = this.#codes(']', 'the class is not closed')
    const ranges: CharRange[] = []
    for (let index = 0; index < codes.length; index++) {
      const from = codes[index]!.code
      const isRange = codes[index + 1]?.isDash === true && index + 2 < codes.length
      if (isRange) index += 2
      ranges.push([from, codes[index]!.code])
    }
    return isNegated ? inverse(ranges) : ranges
  }

  /** Reads code points up to the end of a text or class; a dash that is not escaped may stand between two of them. */
  #codes(end: string, problem: string): readonly CodePoint[] {
    const codes: CodePoint[] = []
    for (;;) {
      const code = this.#source.codePointAt(this.#position)
      if (code === undefined) this.#fail(problem)
      const character = String.fromCodePoint(code)
      this.#position += character.length
      if (character === end) return codes
      if (character === '\\') codes.push({ code: this.#escape(), isDash: false })
      else codes.push({ code, isDash: character === '-' })
    }
  }

  #escape(): number {
    const hex = /^(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}|[trn\\"[\]])/
    const escape = hex.exec(this.#source.slice(this.#position, this.#position + 9))?.[0]
    if (escape === undefined) this.#fail('unknown escape')
    this.#position += escape.length
    if (escape.length > 1) return parseInt(escape.slice(1), 16)
    return controls[escape] ?? escape.charCodeAt(0)
  }

  #token(end: string): Pick<GbnfElement, 'isToken'> {
    const close = this.#source.indexOf(end, this.#position)
    if (close === -1 || this.#source.slice(this.#position, close).includes('\n'))
      this.#fail(`'${end}' is missing`)
    this.#position = close + end.length
    return { isToken: true }
  }

  #repetitions(element: GbnfElement, depth: number): GbnfElement {
    let repeated = element
    let stacked = 0
    for (let counts = this.#counts(); counts; counts = this.#counts()) {
      if (++stacked > MAX_STACKED) this.#fail(`more than ${MAX_STACKED} nested repetitions`)
      const [least, most] = counts
      // A repetition of a repetition.
      repeated = repeated === element ? { ...element, least, most } : { group: [[repeated]], least, most }
      this.#skipSpace(depth > 0)
    }
    return repeated
  }

  #counts(): readonly [least: number, most: number] | undefined {
    if (this.#take('*')) return [0, Infinity]
    if (this.#take('+')) return [1, Infinity]
    if (this.#take('?')) return [0, 1]
    return this.#counted()
  }

  #counted(): readonly [least: number, most: number] | undefined {
    if (!this.#take('{')) return undefined
    const counts = /^\s*(\d{1,9})\s*(,?)\s*(\d{0,9})\s*\}/.exec(
      this.#source.slice(this.#position, this.#position + 60),
    )
    if (counts === null) this.#fail('the repetition must be {n}, {n,} or {n,m}')
    const [text, least, comma, most] = counts
    if (Math.max(Number(least), Number(most)) > MAX_REPETITIONS)
      this.#fail(`more than ${MAX_REPETITIONS} repetitions`)
    if (most !== '' && Number(most) < Number(least))
      this.#fail(`the limits of the repetition {${least},${most}} are reversed`)
    this.#position += text.length
    return [Number(least), most !== '' ? Number(most) : comma ? Infinity : Number(least)]
  }

  #name(): string | undefined {
    const name = /^[a-zA-Z0-9-]+/.exec(this.#source.slice(this.#position, this.#position + 200))?.[0]
    this.#position += name?.length ?? 0
    return name
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#position)) return false
    this.#position += text.length
    return true
  }

  /** Skips white space and comments; line breaks only within brackets and between rules. */
  #skipSpace(withBreaks: boolean): void {
    for (;;) {
      const character = this.#source[this.#position]
      if (character === ' ' || character === '\t' || (withBreaks && /[\r\n]/.test(character ?? ''))) {
        this.#position++
      } else if (character === '#') {
        while (this.#position < this.#source.length && !/[\r\n]/.test(this.#source[this.#position]!))
          this.#position++
      } else return
    }
  }

  #fail(problem: string): never {
    const line = this.#source.slice(0, this.#position).split('\n').length
    throw grammarError(`line ${line}: ${problem}`)
  }
}
