export interface FoundJson {
  /** Position of the value in the text: [start, end) in UTF-16 units. */
  readonly start: number
  readonly end: number
  readonly value: unknown
}

/** Each bracket that opens no value costs a scan of the rest of the text, so only this many are tried. */
const MAX_ATTEMPTS = 200

/** Yields the outermost JSON objects and arrays of a text, in order. */
export function* findJsonValues(text: string): Generator<FoundJson> {
  let position = 0
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const start = nextBracket(text, position)
    if (start === -1) return
    const end = closingBracket(text, start)
    const value = end === -1 ? undefined : tryParse(text.slice(start, end))
    if (value !== undefined) yield { start, end, value }
    position = value === undefined ? start + 1 : end
  }
}

function nextBracket(text: string, from: number): number {
  for (let index = from; index < text.length; index++) {
    if (text[index] === '{' || text[index] === '[') return index
  }
  return -1
}

/** Returns the index after the bracket that closes the one at `start`, or -1. Brackets within strings don't count. */
export function closingBracket(text: string, start: number): number {
  let depth = 0
  let inString = false
  for (let index = start; index < text.length; index++) {
    const char = text[index]
    if (inString) {
      if (char === '\\') index++
      else if (char === '"') inString = false
    } else if (char === '"') inString = true
    else if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') {
      depth--
      if (depth === 0) return index + 1
    }
  }
  return -1
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
