/**
 * Characters that a terminal obeys or that reorder a line: controls but line feed and tab, line and paragraph separators,
 * marks of writing direction. Clients choose parts of what is logged (paths, names), so none of them may reach a terminal.
 */
const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** The line of JSON with such characters written as escapes, which JSON reads as the same text. */
export const escapeInJson = (line: string): string =>
  line.replace(obeyed, (each) => (each === '\n' ? each : escaped(each)))

/** Text for a person: escapes are shown, and the lines after the first are indented, so that none passes for another record. */
export const escapeForTerminal = (text: string): string =>
  text.replace(obeyed, escaped).replaceAll('\n', '\n    ')

/** The same for all texts of a log record. */
export function escapeRecord(value: unknown): unknown {
  if (typeof value === 'string') return escapeForTerminal(value)
  if (Array.isArray(value)) return value.map(escapeRecord)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [escapeForTerminal(name), escapeRecord(item)]),
  )
}
