import type { KeyPath, Origin } from './problem.ts'
import type { ConfigProblem } from './problem.ts'
import { isRecord } from './tree.ts'

/** A model entry, perhaps not valid, and where its keys stand. */
export interface ModelEntry {
  readonly path: KeyPath
  readonly value: unknown
  readonly origin: (path: KeyPath) => Origin
}

export interface ModelChecks {
  /** Says what is wrong with a `source`, or nothing. */
  readonly sourceProblem: (source: string) => string | undefined
}

/** Keys that only the swarm engine reads: to ignore them silently would answer with another model than was asked for. */
const swarmKeys = ['adapter', 'dhtPrefix'] as const

/** What no schema of a single key can say: names given twice, keys that an engine ignores, sources of no known form. */
export function checkModels(entries: readonly ModelEntry[], checks: ModelChecks): readonly ConfigProblem[] {
  return [...findRepeatedNames(entries), ...entries.flatMap((entry) => checkEntry(entry, checks))]
}

function checkEntry({ path, value, origin }: ModelEntry, { sourceProblem }: ModelChecks) {
  if (!isRecord(value)) return []
  const problems: ConfigProblem[] = []
  const report = (key: string, message: string) =>
    problems.push({ origin: origin([...path, key]), path: [...path, key], message })

  if (value.engine === 'llama') {
    for (const key of swarmKeys) {
      if (value[key] !== undefined) report(key, `only models of the engine 'petals' can have this key.`)
    }
  }
  if (typeof value.source === 'string' && value.source !== '') {
    const problem = sourceProblem(value.source)
    if (problem !== undefined) report('source', problem)
  }
  return problems
}

function findRepeatedNames(entries: readonly ModelEntry[]): readonly ConfigProblem[] {
  const owners = new Map<string, ModelEntry>()
  return entries.flatMap((entry) =>
    namesOf(entry).flatMap(({ name, path }) => {
      const owner = owners.get(name)
      owners.set(name, owner ?? entry)
      if (owner === undefined) return []
      const message = `the name '${name}' is taken already. Each id and alias may be used once.`
      return [{ origin: entry.origin(path), path, message }]
    }),
  )
}

interface Name {
  readonly name: string
  readonly path: KeyPath
}

function namesOf({ path, value }: ModelEntry): readonly Name[] {
  if (!isRecord(value)) return []
  const aliases = Array.isArray(value.aliases) ? (value.aliases as readonly unknown[]) : []
  const toName = (name: unknown, key: KeyPath): readonly Name[] =>
    typeof name === 'string' ? [{ name, path: [...path, ...key] }] : []
  return [...toName(value.id, ['id']), ...aliases.flatMap((name, index) => toName(name, ['aliases', index]))]
}
