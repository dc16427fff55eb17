import type { WrittenEntry } from './repeated-names.ts'
import type { ConfigProblem } from './problem.ts'
import { isRecord } from './tree.ts'

/** Finds fallbacks that no entry of this server has, or that are the entry itself. */
export function findUnknownFallbacks(entries: readonly WrittenEntry[]): readonly ConfigProblem[] {
  const values = entries.map(({ value }) => value).filter(isRecord)
  // Of such an entry, the names are not known here.
  if (values.some(({ models }) => models === 'auto')) return []
  return entries.flatMap(({ path, value, origin }) => {
    if (!isRecord(value) || typeof value.fallback !== 'string') return []
    const { fallback } = value
    const others = values.filter((other) => other !== value)
    const isKnown = others.some(
      ({ id, aliases }) => id === fallback || (Array.isArray(aliases) && aliases.includes(fallback)),
    )
    if (isKnown) return []
    const names = others.map(({ id }) => String(id)).join(', ') || 'none'
    const place = [...path, 'fallback']
    return [
      {
        origin: origin(place),
        path: place,
        message: `there is no other model '${fallback}' here. Other models: ${names}.`,
      },
    ]
  })
}
