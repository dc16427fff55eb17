import { InvalidRequestError } from '@petals-chat/engine'

const MAX_PATH_LENGTH = 200

/** A JSON schema, or a part of one, that can't be kept to. `path` is where in the schema, as `$.properties.age`. */
export function schemaError(path: string, problem: string): InvalidRequestError {
  const place = path.length > MAX_PATH_LENGTH ? `…${path.slice(-MAX_PATH_LENGTH)}` : path
  return new InvalidRequestError(`The JSON schema can't be used: ${place} ${problem}.`, {
    param: 'response_format',
    reason: 'invalid_json_schema',
  })
}

export type Schema = Readonly<Record<string, unknown>>

export const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A count of a schema (`minItems`, `maxLength` …). */
function countOf(schema: Schema, key: string, path: string): number | undefined {
  const value = schema[key]
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw schemaError(`${path}.${key}`, 'must be a whole number, 0 or more')
}

/** Grammars write repetitions out: longer ones would fill the memory. */
export const MAX_REPETITIONS = 1000

/** Checked limits of a repetition. `maximum` undefined is none. */
export function limitsOf(
  schema: Schema,
  [least, most]: readonly [string, string],
  path: string,
): { readonly minimum: number; readonly maximum: number | undefined } {
  const minimum = countOf(schema, least, path) ?? 0
  const maximum = countOf(schema, most, path)
  if (maximum !== undefined && minimum > maximum) throw schemaError(path, `has ${least} above ${most}`)
  for (const [key, value] of [[least, minimum] as const, [most, maximum ?? 0] as const]) {
    if (value > MAX_REPETITIONS) throw schemaError(`${path}.${key}`, `is more than ${MAX_REPETITIONS}`)
  }
  return { minimum, maximum }
}
