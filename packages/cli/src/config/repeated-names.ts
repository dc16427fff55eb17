import { type KeyPath, type Origin, type ConfigProblem } from './problem.ts'
import { isRecord } from './tree.ts'

/** A model entry, which may be invalid, and the places of its keys. */
export interface WrittenEntry {
  readonly path: KeyPath
  readonly value: unknown
  readonly origin: (path: KeyPath) => Origin
}

/** Finds ids and aliases that several entries share, which the schema of a single entry can't detect. */
export function findRepeatedNames(entries: readonly WrittenEntry[]): readonly ConfigProblem[] {
  const owners = new Map<string, WrittenEntry>()
  return entries.flatMap((entry) =>
    namesOf(entry).flatMap(({ name, path }) => {
      const owner = owners.get(name)
      owners.set(name, owner ?? entry)
      if (owner === undefined) return []
      const message = `the name '${name}' is already used. Each id and alias may be used only once.`
      return [{ origin: entry.origin(path), path, message }]
    }),
  )
}

interface Name {
  readonly name: string
  readonly path: KeyPath
}

function namesOf({ path, value }: WrittenEntry): readonly Name[] {
  if (!isRecord(value)) return []
  const aliases = Array.isArray(value.aliases) ? (value.aliases as readonly unknown[]) : []
  const toName = (name: unknown, key: KeyPath): readonly Name[] =>
    typeof name === 'string' ? [{ name, path: [...path, ...key] }] : []
  return [...toName(value.id, ['id']), ...aliases.flatMap((name, index) => toName(name, ['aliases', index]))]
}
