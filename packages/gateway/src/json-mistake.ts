/**
 * Says in words where a text that `JSON.parse` refused stops being JSON. The parser's own message quotes the text, which must
 * not reach the logs; and of the most common mistakes (a comma before a bracket, NaN, a comment) it tells no place.
 */
export function describeJsonMistake(text: string, error: SyntaxError): string {
  if (text.trim() === '') return 'it is empty'
  const told = TOLD_PLACE.exec(error.message)?.[1]
  const position = told === undefined ? findJsonMistake(text) : Number(told)
  if (position >= text.length) return 'it ends too early'
  const before = text.slice(0, position).split('\n')
  return `at position ${position} (line ${before.length} column ${before.at(-1)!.length + 1})`
}

/** How a message ends. One that quotes the text ends otherwise, and the quotation may have such words in it. */
const TOLD_PLACE = / at position (\d+)(?: \(line \d+ column \d+\))?$/

/** What may come next. `first` forms are those after an opening bracket, which may close at once. */
type Awaited = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'comma'

/** Returns the offset of the first token that can't stand where it is; the length of the text if it only ends too early. */
export function findJsonMistake(text: string): number {
  /** The brackets that close what is open. */
  const open: string[] = []
  let awaited: Awaited = 'value'
  let at = afterSpace(text, 0)
  while (at < text.length) {
    const char = text[at]!
    const next = step(char, awaited, open)
    if (next === undefined) return at
    const end = next === 'scalar' ? endOfScalar(text, at) : at + 1
    if (end === undefined) return at
    awaited = next === 'scalar' ? (isKey(awaited) ? 'colon' : 'comma') : next
    at = afterSpace(text, end)
  }
  return at
}

/** Returns what follows a character, `scalar` where a text, number or word begins, or undefined if it may not stand here. */
function step(char: string, awaited: Awaited, open: string[]): Awaited | 'scalar' | undefined {
  if (awaited === 'colon') return char === ':' ? 'value' : undefined
  const mayClose = awaited === 'comma' || awaited === 'first value' || awaited === 'first key'
  if (mayClose && char === open[open.length - 1]) {
    open.pop()
    return 'comma'
  }
  if (awaited === 'comma') return char === ',' ? afterComma(open[open.length - 1]) : undefined
  if (isKey(awaited)) return char === '"' ? 'scalar' : undefined
  if (char === '{' || char === '[') {
    open.push(char === '{' ? '}' : ']')
    return char === '{' ? 'first key' : 'first value'
  }
  return 'scalar'
}

/** Nothing may follow the value of the whole text. */
function afterComma(closing: string | undefined): Awaited | undefined {
  if (closing === undefined) return undefined
  return closing === '}' ? 'key' : 'value'
}

const isKey = (awaited: Awaited): boolean => awaited === 'key' || awaited === 'first key'

/** A loop rather than a pattern: there is space, or none, before millions of tokens. */
function afterSpace(text: string, start: number): number {
  let at = start
  while (isSpace(text.charCodeAt(at))) at++
  return at
}

/** Space, line feed, carriage return, tab. */
const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

const NUMBER_OR_WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

const endOfScalar = (text: string, at: number): number | undefined =>
  text[at] === '"' ? endOfText(text, at) : endOf(NUMBER_OR_WORD, text, at)

/** Of faults within a text the parser tells the place, so only its end is looked for. */
function endOfText(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** `pattern` is sticky. */
function endOf(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : undefined
}
