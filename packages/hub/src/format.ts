const units = ['bytes', 'kB', 'MB', 'GB', 'TB']

/** Formats a size for people, in decimal units as disks and downloads are labelled: `98.4 MB`. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`
}

/** `a, b, c and 4 more`. */
export function formatList(items: readonly string[], limit: number): string {
  const rest = items.length - limit
  return items.slice(0, limit).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}

/** Says that `where` has no file `name`, with similar names or else some existing ones. */
export function missingFile(where: string, name: string, names: readonly string[]): string {
  const similar = similarNames(name, names, 5)
  const there =
    similar.length > 0
      ? `Did you mean: ${similar.join(', ')}?`
      : `Files there: ${formatList(names, 10) || 'unknown'}.`
  return `${where} has no file '${name}'. ${there}`
}

/** Returns names that may have been meant by `name`, the likeliest first. */
function similarNames(name: string, names: readonly string[], limit: number): readonly string[] {
  const wanted = pairs(name)
  const scored = names.map((candidate) => ({ candidate, score: overlap(wanted, pairs(candidate)) }))
  const likely = scored.filter(({ score }) => score > 0.3).sort((a, b) => b.score - a.score)
  return likely.slice(0, limit).map(({ candidate }) => candidate)
}

const pairs = (text: string): ReadonlySet<string> => {
  const lower = text.toLowerCase()
  return new Set(Array.from({ length: Math.max(lower.length - 1, 0) }, (_, i) => lower.slice(i, i + 2)))
}

/** Dice's coefficient: 1 for equal sets, 0 for disjoint ones. */
const overlap = (a: ReadonlySet<string>, b: ReadonlySet<string>): number =>
  (2 * a.intersection(b).size) / Math.max(a.size + b.size, 1)
