import { isRecord } from '../api/read-json.ts'

/** Reports whether an untrusted value has a type. */
export type Check = (value: unknown) => boolean

export const isString: Check = (value) => typeof value === 'string'
export const isBoolean: Check = (value) => typeof value === 'boolean'
export const isNumber: Check = (value) => typeof value === 'number'

export const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)

export const nullable =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)

export const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)

export const recordOf =
  (check: Check): Check =>
  (value) =>
    isRecord(value) && Object.values(value).every(check)

export const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    isString(value) && values.includes(value as string)

/** Checks every field of `T`, so that a new field can't be forgotten. Unknown fields are allowed. */
export const shapeOf =
  <T>(fields: Readonly<Record<keyof Required<T>, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries<Check>(fields).every(([name, check]) => check(value[name]))
