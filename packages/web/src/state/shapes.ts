import { isRecord } from '../api/read-json.ts'

/** Whether a value from elsewhere is of a type. */
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

/** Names every field of `T`, so that a new one can't be forgotten here. Fields that `T` does not know may be there too. */
export const shapeOf =
  <T>(fields: Readonly<Record<keyof Required<T>, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries<Check>(fields).every(([name, check]) => check(value[name]))
