import type { KeyPath } from './problem.ts'

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Returns the value at a path of mappings and lists, or undefined. */
export function valueAt(data: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return (value as readonly unknown[])[key as number]
    return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined
  }, data)
}

/** Returns `data` with the value at a path of mappings replaced. Values on the way that are not mappings are replaced, too. */
export function withValue(
  data: unknown,
  [key, ...rest]: KeyPath,
  value: unknown,
): Readonly<Record<string, unknown>> {
  const record = isRecord(data) ? data : {}
  return { ...record, [key!]: rest.length === 0 ? value : withValue(record[key!], rest, value) }
}
