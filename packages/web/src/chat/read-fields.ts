import { isRecord } from '../api/read-json.ts'

/** Reads an untrusted value; undefined if it has another type. */
export type Reader<T> = (value: unknown) => T | undefined

/** A reader for every field of `T`, so that a new field can't be forgotten. */
export type Readers<T> = { readonly [Field in keyof Required<T>]: Reader<T[Field]> }

export const readString: Reader<string> = (value) => (typeof value === 'string' ? value : undefined)
export const readBoolean: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined)
export const readNumber: Reader<number> = (value) =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

/** Reads a list and drops the entries that can't be read. */
export const readList =
  <T>(read: Reader<T>): Reader<readonly T[]> =>
  (value) =>
    Array.isArray(value) ? value.flatMap((entry) => read(entry) ?? []) : undefined

export const readOneOf =
  <T extends string>(...values: readonly T[]): Reader<T> =>
  (value) =>
    values.find((known) => known === value)

/** Reads the known fields that have the right type and drops all others. Undefined if a `needed` field is missing. */
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
