import { closingBracket } from './find-json.ts'
import type { Call } from './call.ts'
import { parsePythonCalls } from './python-calls.ts'

/** Calls in a text that name the function before its arguments, and the place of the text that they take. */
export interface NamedCalls {
  readonly start: number
  /** Index after the last character. */
  readonly end: number
  readonly calls: readonly Call[]
}

/** A schema of parameters, as far as it tells texts from other values. */
export type ParametersOf = (name: string) => unknown

/**
 * The beginnings of such calls: `<function=NAME>` (Llama 3.1, Qwen3-Coder), `[TOOL_CALLS]NAME[ARGS]` with or without
 * `[CALL_ID]…` (Mistral), which may come without `[TOOL_CALLS]` at the start of an answer, because that is a control token.
 */
const heads =
  /<function=([\w.-]{1,64})>|(?:^\s*|\[TOOL_CALLS\]\s*|(?<=\})\s*)([\w-]{1,64})(?:\[CALL_ID\][\w-]{1,64})?(?:\[ARGS\])?\s*(?=\{)/g

/** Each beginning without an end costs a scan of the rest of the text, so only this many are tried. */
const MAX_ATTEMPTS = 200

/** Finds the calls of functions with these names, in order. */
export function findNamedCalls(
  text: string,
  names: ReadonlySet<string>,
  parametersOf: ParametersOf,
): readonly NamedCalls[] {
  const python = parsePythonCalls(text, names)
  if (python) return [python]
  const found: NamedCalls[] = []
  let end = 0
  let attempts = 0
  for (const head of text.matchAll(heads)) {
    const name = head[1] ?? head[2]!
    if (head.index < end || !names.has(name)) continue
    if (++attempts > MAX_ATTEMPTS) break
    const body = head.index + head[0].length
    const call = head[1] === undefined ? jsonBody(text, body) : tagBody(text, body, parametersOf(name))
    if (!call) continue
    end = call.end
    found.push({ start: head.index, end, calls: [{ name, arguments: JSON.stringify(call.values) }] })
  }
  return found
}

interface Body {
  readonly end: number
  readonly values: object
}

function jsonBody(text: string, start: number): Body | undefined {
  const end = closingBracket(text, start)
  if (end === -1) return undefined
  try {
    return { end, values: JSON.parse(text.slice(start, end)) as object }
  } catch {
    return undefined
  }
}

const closing = '</function>'
/** Reads what `<function=NAME>` encloses: JSON, or one element for each parameter. */
function tagBody(text: string, start: number, parameters: unknown): Body | undefined {
  const first = start + (text.slice(start).length - text.slice(start).trimStart().length)
  if (text[first] === '{') {
    const body = jsonBody(text, first)
    if (!body) return undefined
    const rest = text.slice(body.end).trimStart()
    const skipped = text.length - body.end - rest.length
    return rest.startsWith(closing) ? { ...body, end: body.end + skipped + closing.length } : body
  }
  const close = text.indexOf(closing, start)
  if (close === -1) return undefined
  const given = elementsOf(text.slice(start, close))
  const values = given.map(([key, value]) => [key, valueOf(value, propertyOf(parameters, key))] as const)
  return { end: close + closing.length, values: Object.fromEntries(values) }
}

/** Returns the names and contents of `<parameter=NAME>…</parameter>`, without the line breaks around a content. */
function elementsOf(text: string): readonly (readonly [name: string, content: string])[] {
  const elements: [string, string][] = []
  const [open, close] = ['<parameter=', '</parameter>']
  for (let at = text.indexOf(open); at !== -1; at = text.indexOf(open, at)) {
    const nameEnd = text.indexOf('>', at)
    const end = text.indexOf(close, nameEnd)
    if (nameEnd === -1 || end === -1) break
    const content = text
      .slice(nameEnd + 1, end)
      .replace(/^\n/, '')
      .replace(/\n$/, '')
    elements.push([text.slice(at + open.length, nameEnd).trim(), content])
    at = end + close.length
  }
  return elements
}

function propertyOf(parameters: unknown, key: string): unknown {
  const properties = (parameters as { properties?: unknown } | null | undefined)?.properties
  return typeof properties === 'object' && properties !== null && Object.hasOwn(properties, key)
    ? (properties as Record<string, unknown>)[key]
    : undefined
}

/** Elements hold texts as they are, and other values as JSON: the schema tells which it is. */
function valueOf(text: string, schema: unknown): unknown {
  const type = (schema as { type?: unknown } | null | undefined)?.type
  if (type === undefined || type === 'string') return text
  try {
    return JSON.parse(text.trim()) as unknown
  } catch {
    return pythonWords[text.trim()] ?? text
  }
}

const pythonWords: Readonly<Record<string, unknown>> = { True: true, False: false }
