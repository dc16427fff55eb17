import { InvalidRequestError } from '@petals-chat/engine'
import { MAX_GRAMMAR_LENGTH } from '../protocol.ts'

/** llama.cpp reads brackets and follows rules recursively: its stack holds some thousand. */
const MAX_DEPTH = 200
const MAX_RULES = 5000
const MAX_REPETITIONS = 1000

/**
 * Reads a GBNF grammar as llama.cpp does and refuses what that would not survive: its parser crashes on deep brackets
 * and hangs on repetitions that run backwards. @throws InvalidRequestError that names the line.
 */
export function checkGbnf(source: string): void {
  if (source.length > MAX_GRAMMAR_LENGTH) {
    throw grammarError(`it has ${source.length} characters; at most ${MAX_GRAMMAR_LENGTH} are allowed`)
  }
  new GbnfReader(source).check()
}

function grammarError(problem: string): InvalidRequestError {
  return new InvalidRequestError(`The grammar can't be used: ${problem}.`, { param: 'grammar' })
}

class GbnfReader {
  readonly #source: string
  readonly #defined = new Set<string>()
  /** Where each rule is used first. */
  readonly #used = new Map<string, number>()
  #position = 0

  constructor(source: string) {
    this.#source = source
  }

  check(): void {
    this.#skipSpace(true)
    while (this.#position < this.#source.length) this.#rule()
    if (!this.#defined.has('root')) throw grammarError("the rule 'root' is missing")
    if (this.#defined.size > MAX_RULES) throw grammarError(`it has more than ${MAX_RULES} rules`)
    for (const [name, position] of this.#used) {
      if (this.#defined.has(name)) continue
      this.#position = position
      this.#fail(`the rule '${name}' is not there`)
    }
  }

  #rule(): void {
    this.#defined.add(this.#name() ?? this.#fail('a rule must begin with a name'))
    this.#skipSpace(true)
    if (!this.#take('::=')) this.#fail("'::=' is missing")
    this.#skipSpace(true)
    this.#alternatives(0)
    if (this.#position < this.#source.length && !this.#take('\r\n') && !this.#take('\n')) {
      this.#fail(`${JSON.stringify(this.#source[this.#position])} is not expected here`)
    }
    this.#skipSpace(true)
  }

  #alternatives(depth: number): void {
    if (depth > MAX_DEPTH) this.#fail(`brackets are nested more than ${MAX_DEPTH} deep`)
    do {
      this.#skipSpace(true)
      while (this.#element(depth)) this.#skipSpace(depth > 0)
    } while (this.#take('|'))
  }

  /** One element and its repetition; false where none begins. */
  #element(depth: number): boolean {
    if (this.#take('"')) this.#literal()
    else if (this.#take('[')) this.#class()
    else if (this.#take('(')) this.#group(depth)
    else if (this.#take('<[') || this.#take('!<[')) this.#token(']>')
    else if (this.#take('<') || this.#take('!<')) this.#token('>')
    else if (!this.#take('.') && !this.#reference()) return false
    this.#skipSpace(depth > 0)
    this.#repetitions(depth)
    return true
  }

  #reference(): boolean {
    const position = this.#position
    const name = this.#name()
    if (name === undefined) return false
    if (!this.#used.has(name)) this.#used.set(name, position)
    return true
  }

  #group(depth: number): void {
    this.#skipSpace(true)
    this.#alternatives(depth + 1)
    this.#skipSpace(true)
    if (!this.#take(')')) this.#fail("')' is missing")
  }

  #literal(): void {
    this.#until('"', 'the text has no end')
  }

  #class(): void {
    this.#take('^')
    this.#until(']', 'the class has no end')
  }

  #until(end: string, problem: string): void {
    for (;;) {
      const character = this.#source[this.#position++]
      if (character === end) return
      if (character === undefined) this.#fail(problem)
      if (character === '\\') this.#escape()
    }
  }

  #escape(): void {
    const hex = /^(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}|[trn\\"[\]])/
    const escape = hex.exec(this.#source.slice(this.#position, this.#position + 9))
    if (escape === null) this.#fail('the escape is not known')
    this.#position += escape[0].length
  }

  #token(end: string): void {
    const close = this.#source.indexOf(end, this.#position)
    if (close === -1 || this.#source.slice(this.#position, close).includes('\n'))
      this.#fail(`'${end}' is missing`)
    this.#position = close + end.length
  }

  #repetitions(depth: number): void {
    while (this.#take('*') || this.#take('+') || this.#take('?') || this.#counted())
      this.#skipSpace(depth > 0)
  }

  #counted(): boolean {
    if (!this.#take('{')) return false
    const counts = /^\s*(\d{1,9})\s*(,?)\s*(\d{0,9})\s*\}/.exec(
      this.#source.slice(this.#position, this.#position + 60),
    )
    if (counts === null) this.#fail('the repetition must be {n}, {n,} or {n,m}')
    const [text, least, , most] = counts
    if (Math.max(Number(least), Number(most)) > MAX_REPETITIONS)
      this.#fail(`more than ${MAX_REPETITIONS} repetitions`)
    if (most !== '' && Number(most) < Number(least))
      this.#fail(`the repetition {${least},${most}} runs backwards`)
    this.#position += text.length
    return true
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

  /** White space and comments; line breaks only inside brackets and between rules. */
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
