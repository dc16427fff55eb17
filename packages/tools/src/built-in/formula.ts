import { ToolFailure } from '../tool-server.ts'

/** Characters of a formula. */
const MAX_LENGTH = 1_000
/** Brackets and signs within each other. */
const MAX_DEPTH = 100

type Apply = (...values: readonly number[]) => number

/** Each with the number of its arguments: the fewest and the most. */
const functions: Readonly<Record<string, readonly [Apply, number, number]>> = {
  abs: [Math.abs, 1, 1],
  sqrt: [Math.sqrt, 1, 1],
  cbrt: [Math.cbrt, 1, 1],
  exp: [Math.exp, 1, 1],
  ln: [Math.log, 1, 1],
  log: [(value, base = 10) => logarithm(value!, base), 1, 2],
  log2: [Math.log2, 1, 1],
  log10: [Math.log10, 1, 1],
  sin: [Math.sin, 1, 1],
  cos: [Math.cos, 1, 1],
  tan: [Math.tan, 1, 1],
  asin: [Math.asin, 1, 1],
  acos: [Math.acos, 1, 1],
  atan: [Math.atan, 1, 1],
  floor: [Math.floor, 1, 1],
  ceil: [Math.ceil, 1, 1],
  round: [(value, digits = 0) => rounded(value!, digits), 1, 2],
  min: [Math.min, 1, 100],
  max: [Math.max, 1, 100],
}

const constants: Readonly<Record<string, number>> = { pi: Math.PI, π: Math.PI, e: Math.E }

/** The names that a formula may use. */
export const formulaNames: readonly string[] = [...Object.keys(functions), 'pi', 'e']

function logarithm(value: number, base: number): number {
  if (base === 10) return Math.log10(value)
  return base === 2 ? Math.log2(value) : Math.log(value) / Math.log(base)
}

function rounded(value: number, digits: number): number {
  if (!Number.isInteger(digits) || digits < 0 || digits > 15)
    throw new ToolFailure('round takes a number and a count of decimal places from 0 to 15.')
  return digits === 0 || Math.abs(value) >= 1e21 ? Math.round(value) : Number(value.toFixed(digits))
}

/**
 * Computes a formula in double precision: numbers, `+ - * / % ^ !`, brackets, functions and constants. `^` binds to the
 * right and before a sign in front of it, as in mathematics: -2^2 is -4. `%` is the rest of a division.
 * @throws ToolFailure that says where it can't be read
 */
export function computeFormula(formula: string): number {
  if (formula.length > MAX_LENGTH)
    throw new ToolFailure(`The formula has more than ${MAX_LENGTH} characters. Compute it in parts.`)
  return new Formula(formula).value()
}

/** Reads and computes at the same time, from left to right, one method for each level of binding. */
class Formula {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): number {
    const value = this.#sum()
    if (this.#peek() !== '') throw this.#unreadable()
    return value
  }

  #sum(): number {
    let value = this.#product()
    for (;;) {
      if (this.#take('+')) value += this.#product()
      else if (this.#take('-') || this.#take('−')) value -= this.#product()
      else return value
    }
  }

  #product(): number {
    let value = this.#signed()
    for (;;) {
      if (this.#takePower()) throw this.#unreadable()
      if (this.#take('*') || this.#take('×') || this.#take('·')) value *= this.#signed()
      else if (this.#take('/') || this.#take('÷')) value /= this.#signed()
      else if (this.#take('%')) value %= this.#signed()
      else return value
    }
  }

  #signed(): number {
    return this.#nested(() => {
      if (this.#take('-') || this.#take('−')) return -this.#signed()
      return this.#take('+') ? this.#signed() : this.#power()
    })
  }

  #power(): number {
    let base = this.#atom()
    while (this.#take('!')) base = factorial(base)
    return this.#takePower() ? base ** this.#signed() : base
  }

  #takePower(): boolean {
    return this.#take('**') || this.#take('^')
  }

  #atom(): number {
    if (this.#take('(')) return this.#closed(this.#sum())
    const number = this.#match(/(\d[\d_]*(\.\d*)?|\.\d+)(e[+-]?\d+)?/iy)
    if (number !== undefined) return Number(number.replaceAll('_', ''))
    const name = this.#match(/[a-zπ][a-z0-9]*/iy)?.toLowerCase()
    if (name === undefined) throw this.#unreadable()
    if (Object.hasOwn(constants, name)) return constants[name]!
    if (!Object.hasOwn(functions, name))
      throw new ToolFailure(`'${name}' is unknown. A formula may use ${formulaNames.join(', ')}.`)
    return this.#apply(name)
  }

  #apply(name: string): number {
    const [apply, least, most] = functions[name]!
    if (!this.#take('(')) throw new ToolFailure(`Brackets are missing after ${name}, as in ${name}(2).`)
    const values = [this.#sum()]
    while (this.#take(',')) values.push(this.#sum())
    if (values.length < least || values.length > most)
      throw new ToolFailure(
        `${name} takes ${most} ${most === 1 ? 'number' : 'numbers at most'}, not ${values.length}.`,
      )
    return this.#closed(apply(...values))
  }

  #closed(value: number): number {
    if (!this.#take(')')) throw this.#unreadable()
    return value
  }

  #nested(read: () => number): number {
    if (++this.#depth > MAX_DEPTH)
      throw new ToolFailure(`The formula has more than ${MAX_DEPTH} levels. Compute it in parts.`)
    const value = read()
    this.#depth--
    return value
  }

  #peek(): string {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at++
    return this.#text.charAt(this.#at)
  }

  #take(sign: string): boolean {
    this.#peek()
    const isThere =
      this.#text.startsWith(sign, this.#at) && !(sign === '*' && this.#text[this.#at + 1] === '*')
    if (isThere) this.#at += sign.length
    return isThere
  }

  #match(pattern: RegExp): string | undefined {
    this.#peek()
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }

  #unreadable(): ToolFailure {
    const next = this.#peek()
    const where =
      next === '' ? 'ends too early' : `can’t be read from '${this.#text.slice(this.#at, this.#at + 20)}' on`
    return new ToolFailure(`The formula ${where}. Write it as in 2 * (3 + sqrt(16)) ^ 2.`)
  }
}

function factorial(value: number): number {
  if (!Number.isInteger(value) || value < 0) throw new ToolFailure('A factorial is of an integer from 0 up.')
  let product = 1
  for (let factor = 2; factor <= value && product !== Infinity; factor++) product *= factor
  return product
}
