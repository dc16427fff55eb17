import { textOf, type Token, tokenize } from './python-tokens.ts'

/** A value in Python source, read without running it. Names that the file does not define stay names. */
export type PythonValue =
  string | number | boolean | null | readonly PythonValue[] | PythonDict | PythonCall | PythonName

export interface PythonDict {
  readonly dict: ReadonlyMap<string, PythonValue>
}
/** `ModelConfig(repository="…")`. */
export interface PythonCall {
  readonly call: string
  readonly positional: readonly PythonValue[]
  readonly named: ReadonlyMap<string, PythonValue>
}
export interface PythonName {
  readonly name: string
}

/** The source can't be read; the message names the line. */
export class PythonSyntaxError extends Error {
  override readonly name = 'PythonSyntaxError'
}

const MAX_DEPTH = 40
const CONSTANTS: Readonly<Record<string, boolean | null>> = { True: true, False: false, None: null }

/**
 * Reads the assignments `NAME = value` at the left margin of Python source. Nothing is run: imports, conditions, classes and
 * functions are skipped, and a later assignment wins.
 * @throws PythonSyntaxError if the value of such an assignment is not a plain one
 */
export function readAssignments(source: string): ReadonlyMap<string, PythonValue> {
  const values = new Map<string, PythonValue>()
  const lines = source.split('\n')
  const tokens = tokenize(source)
  for (let at = 0; at < tokens.length; at++) {
    const [name, equals] = [tokens[at], tokens[at + 1]]
    const startsLine = at === 0 || tokens[at - 1]!.kind === 'line'
    if (!startsLine || name?.kind !== 'name' || equals?.value !== '=') continue
    if (tokens[at + 2]?.value === '=' || !lines[name.line - 1]!.startsWith(name.value)) continue
    const reader = new ValueReader(tokens, at + 2, values)
    values.set(name.value, reader.read())
    at = reader.at - 1
  }
  return values
}

class ValueReader {
  readonly #tokens: readonly Token[]
  readonly #values: ReadonlyMap<string, PythonValue>
  at: number
  #depth = 0

  constructor(tokens: readonly Token[], at: number, values: ReadonlyMap<string, PythonValue>) {
    this.#tokens = tokens
    this.at = at
    this.#values = values
  }

  read(): PythonValue {
    if (++this.#depth > MAX_DEPTH) throw this.#error('Values are nested too deeply')
    let value = this.#operand()
    while (this.#peek()?.value === '*' || this.#peek()?.value === '+') {
      const sign = this.#next().value
      value = this.#combine(value, sign, this.#operand())
    }
    // `"cuda" if torch.cuda.is_available() else "cpu"`: only the machine knows; the name says so.
    if (this.#peek()?.value === 'if') return this.#conditional()
    this.#depth--
    return value
  }

  #conditional(): PythonValue {
    while (this.#peek() !== undefined && this.#peek()!.kind !== 'line') this.#next()
    this.#depth--
    return { name: 'if' }
  }

  #combine(left: PythonValue, sign: string, right: PythonValue): PythonValue {
    if (typeof left === 'number' && typeof right === 'number')
      return sign === '*' ? left * right : left + right
    if (sign === '+' && typeof left === 'string' && typeof right === 'string') return left + right
    if (sign === '+' && Array.isArray(left) && Array.isArray(right))
      return [...left, ...right] as PythonValue[]
    throw this.#error(`'${sign}' between these values is not supported`)
  }

  #operand(): PythonValue {
    const token = this.#next()
    switch (token.kind) {
      case 'number':
        return Number(token.value.replaceAll('_', ''))
      case 'text':
        return this.#text(token)
      case 'name':
        return this.#named(token)
      default:
        return this.#signed(token)
    }
  }

  #text(first: Token): string {
    if (/^\w*f/i.test(first.value.replace(/['"][^]*$/, '')))
      throw this.#error('An f-string is not a plain text')
    let value = textOf(first.value)
    while (this.#peek()?.kind === 'text') value += textOf(this.#next().value)
    return value
  }

  #signed({ value, line }: Token): PythonValue {
    if (value === '-') {
      const number = this.#operand()
      if (typeof number === 'number') return -number
    }
    if (value === '[') return this.#list(']')
    if (value === '(') return this.#list(')')
    if (value === '{') return this.#dict()
    throw new PythonSyntaxError(`Line ${line}: '${value.trim()}' is not part of a plain value.`)
  }

  #list(end: string): readonly PythonValue[] {
    const items: PythonValue[] = []
    this.#items(end, () => items.push(this.read()))
    return items
  }

  #dict(): PythonDict {
    const dict = new Map<string, PythonValue>()
    this.#items('}', () => {
      const key = this.read()
      this.#expect(':')
      dict.set(String(key), this.read())
    })
    return { dict }
  }

  #items(end: string, item: () => void): void {
    for (this.#skipLines(); this.#peek()?.value !== end; this.#skipLines()) {
      item()
      this.#skipLines()
      if (this.#peek()?.value !== end) this.#expect(',')
    }
    this.#next()
  }

  /** A constant, a name, an attribute of a known value, or a call. */
  #named({ value }: Token): PythonValue {
    if (Object.hasOwn(CONSTANTS, value)) return CONSTANTS[value]!
    let name = value
    let known = this.#values.get(value)
    while (this.#peek()?.value === '.') {
      this.#next()
      const attribute = this.#next().value
      name += `.${attribute}`
      known = isCall(known) ? known.named.get(attribute) : undefined
    }
    if (this.#peek()?.value === '(') return this.#call(name)
    return known ?? { name }
  }

  #call(name: string): PythonValue {
    this.#expect('(')
    const positional: PythonValue[] = []
    const named = new Map<string, PythonValue>()
    this.#items(')', () => {
      const [key, equals] = [this.#peek(), this.#tokens[this.at + 1]]
      if (key?.kind !== 'name' || equals?.value !== '=') return void positional.push(this.read())
      this.at += 2
      named.set(key.value, this.read())
    })
    return name === 'dict' ? { dict: named } : { call: name, positional, named }
  }

  #skipLines(): void {
    while (this.#peek()?.kind === 'line') this.at++
  }

  #peek = (): Token | undefined => this.#tokens[this.at]

  #next(): Token {
    const token = this.#tokens[this.at++]
    if (token === undefined) throw new PythonSyntaxError('The file ends in the middle of a value.')
    return token
  }

  #expect(value: string): void {
    const token = this.#next()
    if (token.value !== value)
      throw new PythonSyntaxError(
        `Line ${token.line}: '${value}' was expected instead of '${token.value.trim()}'.`,
      )
  }

  #error(message: string): PythonSyntaxError {
    return new PythonSyntaxError(`Line ${this.#tokens[this.at - 1]?.line ?? 1}: ${message}.`)
  }
}

export const isCall = (value: PythonValue | undefined): value is PythonCall =>
  typeof value === 'object' && value !== null && 'call' in value
export const isDict = (value: PythonValue | undefined): value is PythonDict =>
  typeof value === 'object' && value !== null && 'dict' in value
export const isName = (value: PythonValue | undefined): value is PythonName =>
  typeof value === 'object' && value !== null && 'name' in value
