/** Counts the insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const substitution = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      let best = Math.min(previous[column]! + 1, current[column - 1]! + 1, substitution)
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, beforePrevious[column - 2]! + 1)
      }
      current.push(best)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.length]!
}

/** `max_session_length` and `maxSessionLength` are the same word in two styles. */
const normalize = (name: string) => name.toLowerCase().replace(/[_\-. ]/g, '')

/** Returns the name that was probably meant, or undefined if no name is similar enough. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const wanted = normalize(name)
  const tolerance = Math.max(1, Math.floor(wanted.length / 3))
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of known) {
    const distance = editDistance(wanted, normalize(candidate))
    if (distance <= tolerance && distance < (best?.distance ?? Infinity)) best = { name: candidate, distance }
  }
  return best?.name
}
