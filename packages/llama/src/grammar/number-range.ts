import { literal, oneOf } from './json-rules.ts'

/** As long as numbers of the `integer` rule. */
const MAX_DIGITS = 16

/** Integers from `minimum` to `maximum`, which may be infinite. Both are integers otherwise. */
export function integerRange(minimum: number, maximum: number): string {
  const alternatives: string[] = []
  if (minimum < 0) {
    const least = Math.max(1, maximum === Infinity ? 1 : -maximum)
    alternatives.push(`"-" ${naturalRange(least, -minimum)}`)
  }
  if (maximum >= 0) alternatives.push(naturalRange(Math.max(0, minimum), maximum))
  return oneOf(alternatives)
}

/** Integers from `minimum` ≥ 0 to `maximum`. */
function naturalRange(minimum: number, maximum: number): string {
  const alternatives: string[] = []
  if (minimum === 0) alternatives.push('"0"')
  const least = Math.max(1, minimum)
  for (let digits = String(least).length; digits <= MAX_DIGITS; digits++) {
    const low = Math.max(least, 10 ** (digits - 1))
    const high = Math.min(maximum, 10 ** digits - 1)
    if (low > high) break
    alternatives.push(sameLength(String(low), String(high)))
  }
  return oneOf(alternatives)
}

/** Digits from `low` to `high`, which have the same number of digits. */
function sameLength(low: string, high: string): string {
  if (low === high) return literal(low)
  const rest = low.length - 1
  const [first, last] = [Number(low[0]), Number(high[0])]
  if (rest === 0) return digit(first, last)
  if (first === last) return `${literal(low[0]!)} ${oneOf([sameLength(low.slice(1), high.slice(1))])}`

  const lowRest = low.slice(1)
  const highRest = high.slice(1)
  const startsFull = /^0+$/.test(lowRest)
  const endsFull = /^9+$/.test(highRest)
  const alternatives: string[] = []
  if (!startsFull) alternatives.push(`${literal(low[0]!)} ${sameLength(lowRest, '9'.repeat(rest))}`)
  const [from, to] = [startsFull ? first : first + 1, endsFull ? last : last - 1]
  if (from <= to) alternatives.push(`${digit(from, to)} [0-9]{${rest}}`)
  if (!endsFull) alternatives.push(`${literal(high[0]!)} ${sameLength('0'.repeat(rest), highRest)}`)
  return oneOf(alternatives)
}

const digit = (from: number, to: number): string => (from === to ? literal(String(from)) : `[${from}-${to}]`)

export interface NumberBounds {
  readonly minimum: number
  readonly maximum: number
  readonly excludesMinimum: boolean
  readonly excludesMaximum: boolean
}

/** Decimal numbers between integers (or infinities). `fraction` is the name of that rule. */
export function decimalRange(
  { minimum, maximum, excludesMinimum, excludesMaximum }: NumberBounds,
  fraction: string,
): string {
  const alternatives: string[] = []
  if (minimum < 0) {
    const [from, to] = [Math.max(0, -maximum), -minimum]
    const excludesFrom = maximum <= 0 && excludesMaximum
    alternatives.push(`"-" ${positive({ from, to, excludesFrom, excludesTo: excludesMinimum }, fraction)}`)
  }
  if (maximum > 0 || (maximum === 0 && !excludesMaximum)) {
    const from = Math.max(0, minimum)
    const excludesFrom = minimum >= 0 && excludesMinimum
    alternatives.push(positive({ from, to: maximum, excludesFrom, excludesTo: excludesMaximum }, fraction))
  }
  return oneOf(alternatives)
}

interface PositiveBounds {
  readonly from: number
  readonly to: number
  readonly excludesFrom: boolean
  readonly excludesTo: boolean
}

function positive({ from, to, excludesFrom, excludesTo }: PositiveBounds, fraction: string): string {
  const alternatives: string[] = []
  if (from < to && excludesFrom) alternatives.push(`${literal(String(from))} "." [0-9]{0,15} [1-9]`)
  const first = excludesFrom ? from + 1 : from
  if (first < to) alternatives.push(`${naturalRange(first, to - 1)} ${fraction}?`)
  if (to !== Infinity && !excludesTo && first <= to)
    alternatives.push(`${literal(String(to))} ( "." "0"{1,16} )?`)
  return oneOf(alternatives)
}
