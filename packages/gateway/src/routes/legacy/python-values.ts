import { InvalidRequestError } from '@petals-chat/engine'

/**
 * Parameters as clients of the original send them: text in forms, values in JSON. Numbers are parsed as Python's `int()`
 * and `float()` do; null in JSON counts as a missing parameter.
 */
export type RawParams = (name: string) => unknown

const INTEGER = /^[+-]?\d+(_\d+)*$/
const FLOAT = /^[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/i

export function textParam(params: RawParams, name: string): string | undefined {
  const value = params(name) ?? undefined
  if (typeof value === 'string') return value.toWellFormed()
  if (value === undefined) return undefined
  throw wrongType(name, 'a string', value)
}

export function integerParam(params: RawParams, name: string): number | undefined {
  return numberParam(params, name, INTEGER, 'an integer', Number.isSafeInteger)
}

export function floatParam(params: RawParams, name: string): number | undefined {
  return numberParam(params, name, FLOAT, 'a number', Number.isFinite)
}

/** Accepts 0 and 1 as well as false and true. */
export function flagParam(params: RawParams, name: string): boolean {
  const value = params(name)
  if (typeof value === 'string' && /^(true|false)$/i.test(value.trim()))
    return value.trim().toLowerCase() === 'true'
  return Boolean(integerParam(params, name))
}

export function textListParam(params: RawParams, name: string): readonly string[] | undefined {
  const value = params(name) ?? undefined
  if (value === undefined) return undefined
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw wrongType(name, 'a list of strings', value)
}

function numberParam(
  params: RawParams,
  name: string,
  pattern: RegExp,
  kind: string,
  isValid: (value: number) => boolean,
): number | undefined {
  const value = params(name) ?? undefined
  if (value === undefined) return undefined
  const number = toNumber(value, pattern)
  if (!isValid(number)) throw wrongType(name, kind, value)
  return number
}

function toNumber(value: unknown, pattern: RegExp): number {
  if (typeof value === 'number' || typeof value === 'boolean') return Number(value)
  if (typeof value !== 'string' || !pattern.test(value.trim())) return NaN
  return Number(value.trim().replaceAll('_', ''))
}

function wrongType(param: string, kind: string, value: unknown): InvalidRequestError {
  const shown = JSON.stringify(value)?.slice(0, 50)
  return new InvalidRequestError(`${param} must be ${kind}, but is ${shown}.`, {
    param,
    reason: 'invalid_type',
  })
}
