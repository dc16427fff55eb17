import { charSet } from './char-set.ts'
import type { Regular, Regulars } from './regular.ts'

/** The length of numbers in the `integer` rule. */
export const MAX_DIGITS = 16
/** Decimal places. With more, a parser would round a number just below a bound up to it. */
const MAX_FRACTION = 12

export interface NumberBounds {
  readonly minimum: number
  readonly maximum: number
  readonly excludesMinimum: boolean
  readonly excludesMaximum: boolean
}

/** Builds languages of numbers between bounds, as JSON texts without an exponent. */
export class NumberLanguage {
  readonly #regulars: Regulars

  constructor(regulars: Regulars) {
    this.#regulars = regulars
  }

  /** Integers from `minimum` to `maximum`; both are integers or infinite. */
  integers(minimum: number, maximum: number): Regular {
    const { either, nothing } = this.#bound()
    return either(
      minimum < 0 ? this.#negative(this.#naturals(max(1n, -toBig(maximum, 0n)), toBig(-minimum))) : nothing,
      maximum >= 0 ? this.#naturals(max(0n, toBig(minimum, 0n)), toBig(maximum)) : nothing,
    )
  }

  /** Decimal numbers between bounds. */
  decimals({ minimum, maximum, excludesMinimum, excludesMaximum }: NumberBounds): Regular {
    const { either, nothing } = this.#bound()
    const isPositive = maximum > 0 || (maximum === 0 && !excludesMaximum)
    const below = {
      from: Math.max(0, -maximum),
      to: -minimum,
      excludesFrom: maximum >= 0 || excludesMaximum,
      excludesTo: excludesMinimum,
    }
    const above = {
      from: Math.max(0, minimum),
      to: maximum,
      excludesFrom: minimum >= 0 && excludesMinimum,
      excludesTo: excludesMaximum,
    }
    return either(
      minimum < 0 ? this.#negative(this.#positives(below)) : nothing,
      isPositive ? this.#positives(above) : nothing,
    )
  }

  /** Integers of at most this many digits. */
  integersOfLength(digits: number): Regular {
    const limit = 10 ** Math.min(digits, 15) - 1
    return this.integers(-limit, limit)
  }

  /** All spellings of one number without an exponent. */
  spellings(value: number): Regular {
    const bounds = { minimum: value, maximum: value, excludesMinimum: false, excludesMaximum: false }
    const zero = this.#regulars.sequence(this.#regulars.text('-0'), this.#zeros())
    return value === 0 ? this.#regulars.either(zero, this.decimals(bounds)) : this.decimals(bounds)
  }

  #bound() {
    const either = (...parts: readonly Regular[]) => this.#regulars.either(...parts)
    return { either, nothing: this.#regulars.nothing }
  }

  readonly #negative = (positive: Regular): Regular =>
    this.#regulars.sequence(this.#regulars.text('-'), positive)

  /** Integers from `minimum` ≥ 0 to `maximum`. */
  #naturals(minimum: bigint, maximum: bigint | undefined): Regular {
    const lengths = Array.from({ length: MAX_DIGITS }, (_, index) => {
      const smallest = index === 0 ? 0n : 10n ** BigInt(index)
      const largest = 10n ** BigInt(index + 1) - 1n
      const low = max(minimum, smallest)
      const high = maximum === undefined || maximum > largest ? largest : maximum
      return low > high ? this.#regulars.nothing : this.#sameLength(String(low), String(high))
    })
    return this.#regulars.either(...lengths)
  }

  /** Digits from `low` to `high`, which have the same number of digits. */
  #sameLength(low: string, high: string): Regular {
    const regulars = this.#regulars
    if (low === '') return regulars.empty
    const [first, last] = [Number(low[0]), Number(high[0])]
    const [lowRest, highRest] = [low.slice(1), high.slice(1)]
    if (first === last) return regulars.sequence(regulars.text(low[0]!), this.#sameLength(lowRest, highRest))
    const rest = lowRest.length
    const [startsFull, endsFull] = [/^0*$/.test(lowRest), /^9*$/.test(highRest)]
    const [from, to] = [startsFull ? first : first + 1, endsFull ? last : last - 1]
    const { nothing } = regulars
    return regulars.either(
      startsFull
        ? nothing
        : regulars.sequence(regulars.text(low[0]!), this.#sameLength(lowRest, '9'.repeat(rest))),
      regulars.sequence(this.#digit(from, to), regulars.repeat(this.#digit(0, 9), rest, rest)),
      endsFull
        ? nothing
        : regulars.sequence(regulars.text(high[0]!), this.#sameLength('0'.repeat(rest), highRest)),
    )
  }

  #digit(from: number, to: number): Regular {
    return from > to ? this.#regulars.nothing : this.#regulars.chars(charSet([[0x30 + from, 0x30 + to]]))
  }

  /** Decimals from `from` ≥ 0 to `to`. */
  #positives({ from, to, excludesFrom, excludesTo }: Span): Regular {
    const regulars = this.#regulars
    const [low, high] = [toDecimal(from), to === Infinity ? undefined : toDecimal(to)]
    const least = this.#fractionsAbove(low.fraction, excludesFrom)
    const most = high && this.#fractionsBelow(high.fraction, excludesTo)
    const exactly = (value: bigint, fraction: Regular) =>
      regulars.sequence(regulars.text(String(value)), fraction)
    if (high && most && low.integer === high.integer) return exactly(low.integer, regulars.both(least, most))
    if (high && low.integer > high.integer) return regulars.nothing
    return regulars.either(
      exactly(low.integer, least),
      regulars.sequence(this.#naturals(low.integer + 1n, high && high.integer - 1n), this.#fractions()),
      high && most ? exactly(high.integer, most) : regulars.nothing,
    )
  }

  /** A point and digits, or nothing. */
  #fractions(): Regular {
    const digits = this.#regulars.repeat(this.#digit(0, 9), 1, MAX_FRACTION)
    return this.#regulars.optional(this.#regulars.sequence(this.#regulars.text('.'), digits))
  }

  #zeros(): Regular {
    const zeros = this.#regulars.repeat(this.#regulars.text('0'), 1, MAX_FRACTION)
    return this.#regulars.optional(this.#regulars.sequence(this.#regulars.text('.'), zeros))
  }

  #fractionsAbove(bound: string, isStrict: boolean): Regular {
    const regulars = this.#regulars
    const below = this.#fractionsBelow(bound, !isStrict)
    return regulars.both(this.#fractions(), regulars.not(below))
  }

  /** Fractions less than 0.`bound`, or equal too where it is not strict. `bound` does not end with 0. */
  #fractionsBelow(bound: string, isStrict: boolean): Regular {
    const regulars = this.#regulars
    const any = regulars.repeat(this.#digit(0, 9), 0, Infinity)
    const equal = regulars.sequence(
      bound === '' ? regulars.empty : regulars.text(`.${bound}`),
      bound === '' ? this.#zeros() : regulars.repeat(regulars.text('0'), 0, Infinity),
    )
    const less = [...bound].flatMap((digit, index) => [
      regulars.sequence(regulars.text(`.${bound.slice(0, index)}`), this.#digit(0, Number(digit) - 1), any),
      index === 0 ? regulars.empty : regulars.text(`.${bound.slice(0, index)}`),
    ])
    return regulars.both(this.#fractions(), regulars.either(...less, isStrict ? regulars.nothing : equal))
  }
}

interface Span {
  readonly from: number
  readonly to: number
  readonly excludesFrom: boolean
  readonly excludesTo: boolean
}

const max = (left: bigint, right: bigint): bigint => (left > right ? left : right)

function toBig(value: number, otherwise: bigint): bigint
function toBig(value: number): bigint | undefined
function toBig(value: number, otherwise?: bigint): bigint | undefined {
  return Number.isFinite(value) ? BigInt(value) : otherwise
}

/** The digits of a number ≥ 0, exactly as it is written. */
export function toDecimal(value: number): { readonly integer: bigint; readonly fraction: string } {
  const [digits = '0', exponent = '0'] = String(value).split('e')
  const [whole = '0', behind = ''] = digits.split('.')
  const shift = Number(exponent)
  const padded = shift < 0 ? whole.padStart(1 - shift, '0') : whole + behind.padEnd(shift, '0')
  if (shift >= 0) {
    const length = whole.length + shift
    return { integer: BigInt(padded.slice(0, length)), fraction: trimmed(padded.slice(length)) }
  }
  const point = padded.length + shift
  return { integer: BigInt(padded.slice(0, point) || '0'), fraction: trimmed(padded.slice(point) + behind) }
}

const trimmed = (digits: string): string => digits.replace(/0+$/, '')
