import { MAX_DIGITS, NumberLanguage, toDecimal } from '../regular/number-language.ts'
import { type Regular, TooComplex } from '../regular/regular.ts'
import { excludedValues } from './negation.ts'
import type { SchemaContext } from './schema-context.ts'
import { nodeAt, type PlainNode, schemaError, Unsatisfiable } from './schema-node.ts'

/** Numbers of an answer are smaller: a bound beyond this has no effect. */
const BEYOND_ANY_NUMBER = 10 ** MAX_DIGITS
const MAX_DIVISOR = 1000

interface Bounds {
  readonly minimum: number
  readonly maximum: number
  readonly excludesMinimum: boolean
  readonly excludesMaximum: boolean
}

/** Returns an expression for the numbers that all the schemas allow. */
export function numberBody(context: SchemaContext, plain: readonly PlainNode[], isInteger: boolean): string {
  const [node] = plain
  const bounds = plain.map(boundsOf).reduce(tighter)
  const divisors = plain.flatMap((each) => divisorOf(context, each) ?? [])
  const excluded = excludedValues(plain).filter((value) => typeof value === 'number')
  const isBounded = Number.isFinite(bounds.minimum) || Number.isFinite(bounds.maximum)
  if (!isBounded && divisors.length === 0 && excluded.length === 0) {
    return context.rules.json(isInteger ? 'integer' : 'number')
  }
  const { regulars } = context
  const numbers = new NumberLanguage(regulars)
  const inRange = isInteger ? integersIn(numbers, bounds) : numbers.decimals(bounds)
  const wanted = divisors.map(({ divisor, scale }) =>
    regulars.both(regulars.multiple(divisor, scale), shortened(context, numbers, divisor)),
  )
  const others = excluded.map((value) => regulars.not(numbers.spellings(value)))
  return written(context, node!, regulars.both(inRange, ...wanted, ...others))
}

function written(context: SchemaContext, node: PlainNode, language: Regular): string {
  try {
    const expression = context.language(language, node.path)
    if (expression === undefined) throw new Unsatisfiable(node, 'allows no number')
    return expression
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error
    throw schemaError(
      node,
      'exceeds the work limit of a grammar: its bounds or multipleOf have too many digits',
    )
  }
}

function integersIn(numbers: NumberLanguage, bounds: Bounds): Regular {
  const { minimum, maximum, excludesMinimum, excludesMaximum } = bounds
  const least = excludesMinimum ? Math.floor(minimum) + 1 : Math.ceil(minimum)
  const most = excludesMaximum ? Math.ceil(maximum) - 1 : Math.floor(maximum)
  return numbers.integers(least, most)
}

/** Remainders need many states: the larger the divisor, the shorter the numbers that are allowed. */
function shortened({ regulars }: SchemaContext, numbers: NumberLanguage, divisor: number): Regular {
  const digits = divisor < 70 ? 12 : String(divisor).length + 1
  const fraction = regulars.sequence(regulars.text('.'), regulars.anything)
  const integer = regulars.either(numbers.integersOfLength(digits), regulars.text('-0'))
  return regulars.sequence(integer, regulars.optional(fraction))
}

function boundsOf(node: PlainNode): Bounds {
  const { schema } = node
  const least = boundOf(node, 'minimum', -Infinity)
  const most = boundOf(node, 'maximum', Infinity)
  // In draft 4 this is a boolean that refers to the other bound.
  const above =
    typeof schema.exclusiveMinimum === 'boolean' ? undefined : boundOf(node, 'exclusiveMinimum', -Infinity)
  const below =
    typeof schema.exclusiveMaximum === 'boolean' ? undefined : boundOf(node, 'exclusiveMaximum', Infinity)
  return {
    minimum: Math.max(least, above ?? least),
    maximum: Math.min(most, below ?? most),
    excludesMinimum:
      above === undefined ? schema.exclusiveMinimum === true : above >= least && above > -Infinity,
    excludesMaximum:
      below === undefined ? schema.exclusiveMaximum === true : below <= most && below < Infinity,
  }
}

function boundOf(node: PlainNode, key: string, otherwise: number): number {
  const value = node.schema[key] ?? otherwise
  if (typeof value !== 'number' || Number.isNaN(value))
    throw schemaError(nodeAt(node, key, value), 'must be a number')
  if (Math.abs(value) < BEYOND_ANY_NUMBER) return value
  if (Math.sign(value) === Math.sign(otherwise)) return otherwise
  throw schemaError(nodeAt(node, key, value), `is beyond 10^${MAX_DIGITS}, the largest number of an answer`)
}

function tighter(left: Bounds, right: Bounds): Bounds {
  const lower =
    left.minimum > right.minimum || (left.minimum === right.minimum && left.excludesMinimum) ? left : right
  const upper =
    left.maximum < right.maximum || (left.maximum === right.maximum && left.excludesMaximum) ? left : right
  return {
    minimum: lower.minimum,
    excludesMinimum: lower.excludesMinimum,
    maximum: upper.maximum,
    excludesMaximum: upper.excludesMaximum,
  }
}

/** Returns `multipleOf` as an integer divided by a power of ten. */
function divisorOf(
  context: SchemaContext,
  node: PlainNode,
): { readonly divisor: number; readonly scale: number } | undefined {
  const { multipleOf } = node.schema
  if (multipleOf === undefined) return undefined
  const place = nodeAt(node, 'multipleOf', multipleOf)
  if (typeof multipleOf !== 'number' || !(multipleOf > 0))
    throw schemaError(place, 'must be a number above 0')
  const { integer, fraction } = toDecimal(multipleOf)
  const divisor = Number(`${integer}${fraction}`)
  if (divisor <= MAX_DIVISOR && fraction.length <= 6) return { divisor, scale: fraction.length }
  context.cannot(node, 'multipleOf', `can be enforced up to ${MAX_DIVISOR}, with 6 decimal places`)
  return undefined
}
