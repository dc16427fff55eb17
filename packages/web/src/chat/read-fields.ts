import { isRecord } from '../api/read-json.ts'

/** Reads a value of a file; undefined where it isn't of the type. */
export type Reader<T> = (value: unknown) => T | undefined

/** A reader for every field of `T`, so that a new one can't be forgotten. */
export type Readers<T> = { readonly [Field in keyof Required<T>]: Reader<T[Field]> }

export const readString: Reader<string> = (value) => (typeof value === 'string' ? value : undefined)
export const readBoolean: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined)
export const readNumber: Reader<number> = (value) =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

/** The entries that can be read. */
export const readList =
  <T>(read: Reader<T>): Reader<readonly T[]> =>
  (value) =>
    Array.isArray(value) ? value.flatMap((entry) => read(entry) ?? []) : undefined

export const readOneOf =
  <T extends string>(...values: readonly T[]): Reader<T> =>
  (value) =>
    values.find((known) => known === value)

/** The fields that are there and of their type; all others are dropped. Undefined where a `needed` one is missing. */
export const readFields =
  <T>(readers: Readers<T>, needed: readonly (keyof T)[] = []): Reader<T> =>
  (value) => {
    if (!isRecord(value)) return undefined
    const entries = Object.entries<Reader<unknown>>(readers).flatMap(([name, read]) => {
      const field = Object.hasOwn(value, name) ? read(value[name]) : undefined
      return field === undefined ? [] : [[name, field] as const]
    })
    const found = Object.fromEntries(entries) as T
    return needed.every((name) => found[name] !== undefined) ? found : undefined
  }
