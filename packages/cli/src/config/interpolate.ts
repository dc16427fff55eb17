import { formatKeyPath, type KeyPath } from './problem.ts'
import { isRecord } from './tree.ts'

export interface Interpolated {
  readonly data: unknown
  /** Values that come from the environment (by `formatKeyPath`), with the text in the file. */
  readonly replaced: ReadonlyMap<string, string>
  /** Variables that are used and not set. */
  readonly missing: readonly { readonly path: KeyPath; readonly name: string }[]
}

export interface InterpolateOptions {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Converts an expanded text to the value expected at its place: a number, a boolean, or the text. */
  readonly convert: (text: string, path: KeyPath) => unknown
}

/** `$${` stands for a literal `${`. */
const reference = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g

/** Replaces `${NAME}` and `${NAME:-fallback}` in the texts of a file by values of the environment, so that the file need not contain secrets. */
export function interpolate(data: unknown, { environment, convert }: InterpolateOptions): Interpolated {
  const replaced = new Map<string, string>()
  const missing: { path: KeyPath; name: string }[] = []

  const expand = (text: string, path: KeyPath): unknown => {
    let expansions = 0
    const result = text.replace(
      reference,
      (match, name: string | undefined, fallback: string | undefined) => {
        if (name === undefined) return '${'
        expansions++
        const value = environment[name]
        // As in a shell, `:-` also replaces an empty variable.
        if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
        if (value === undefined) missing.push({ path, name })
        return value ?? match
      },
    )
    if (expansions === 0) return result
    replaced.set(formatKeyPath(path), text)
    return convert(result, path)
  }

  const visit = (value: unknown, path: KeyPath): unknown => {
    if (typeof value === 'string') return expand(value, path)
    if (Array.isArray(value)) return value.map((entry, index) => visit(entry, [...path, index]))
    if (!isRecord(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [key, visit(child, [...path, key])]),
    )
  }
  return { data: visit(data, []), replaced, missing }
}
