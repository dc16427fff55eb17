import { repeat, type RuleSet } from './json-rules.ts'
import { decimalRange, integerRange, type NumberBounds } from './number-range.ts'
import { patternToGbnf } from './pattern-to-gbnf.ts'
import { limitsOf, schemaError, type Schema } from './schema-error.ts'
import { stringFormats } from './string-formats.ts'

/** Texts of a schema of type `string`. */
export function stringBody(rules: RuleSet, schema: Schema, path: string): string {
  const { pattern, format } = schema
  const { minimum, maximum } = limitsOf(schema, ['minLength', 'maxLength'], path)
  const hasLength = minimum > 0 || maximum !== undefined
  if (pattern !== undefined) {
    if (typeof pattern !== 'string') throw schemaError(`${path}.pattern`, 'must be a text')
    if (hasLength) {
      throw schemaError(path, "can't have a pattern and a length; put the length into the pattern")
    }
    return quoted(patternToGbnf(pattern, `${path}.pattern`))
  }
  const formatted = typeof format === 'string' ? stringFormats.get(format) : undefined
  if (formatted !== undefined) return quoted(formatted)
  return hasLength ? quoted(repeat(rules.json('char'), minimum, maximum)) : rules.json('string')
}

const quoted = (inside: string): string => `"\\"" ${inside} "\\""`

/** Beyond it not every integer is a number of JSON. */
const LARGEST_BOUND = 1e15

/** Numbers of a schema of type `integer` or `number`. */
export function numberBody(rules: RuleSet, schema: Schema, path: string): string {
  const bound = (key: string, otherwise: number): number => {
    const value = schema[key] ?? otherwise
    if (typeof value !== 'number' || Number.isNaN(value))
      throw schemaError(`${path}.${key}`, 'must be a number')
    if (Number.isFinite(value) && Math.abs(value) > LARGEST_BOUND) {
      throw schemaError(`${path}.${key}`, 'is beyond 10^15')
    }
    return value
  }
  const [least, most] = [bound('minimum', -Infinity), bound('maximum', Infinity)]
  const [above, below] = [bound('exclusiveMinimum', -Infinity), bound('exclusiveMaximum', Infinity)]
  const isInteger = schema.type === 'integer'
  const bounds = [least, most, above, below].filter(Number.isFinite)
  if (bounds.length === 0) return rules.json(isInteger ? 'integer' : 'number')
  if (isInteger) {
    const minimum = Math.max(Math.ceil(least), Math.floor(above) + 1)
    const maximum = Math.min(Math.floor(most), Math.ceil(below) - 1)
    if (minimum > maximum) throw schemaError(path, 'allows no integer')
    return integerRange(minimum, maximum)
  }
  if (!bounds.every(Number.isInteger)) {
    throw schemaError(path, 'has a bound with a fraction; only whole bounds can be enforced')
  }
  const range: NumberBounds = {
    minimum: Math.max(least, above),
    maximum: Math.min(most, below),
    excludesMinimum: above >= least && Number.isFinite(above),
    excludesMaximum: below <= most && Number.isFinite(below),
  }
  const isEmpty = range.minimum === range.maximum && (range.excludesMinimum || range.excludesMaximum)
  if (isEmpty || range.minimum > range.maximum) throw schemaError(path, 'allows no number')
  return decimalRange(range, rules.json('fraction'))
}
