import type { RequestToolCall } from '../api/chat-request.ts'

/**
 * `writing`: the model writes it. `waiting`: for its turn. `asking`: for the reader’s consent. `failed`: the tool, or the
 * way to it; the result says why. `denied`: by the reader. `stopped`: with the answer.
 */
export const callStates = [
  'writing',
  'waiting',
  'asking',
  'running',
  'done',
  'failed',
  'denied',
  'stopped',
] as const
export type ToolCallState = (typeof callStates)[number]

/** A call of a tool in an answer. */
export interface ToolCall {
  readonly id: string
  /** The name of the function. */
  readonly name: string
  /** JSON, as the model wrote it. */
  readonly arguments: string
  readonly state: ToolCallState
  /** The names for people, of the tool and of its server, once they are looked up. */
  readonly title?: string | undefined
  readonly server?: string | undefined
  /** The tool changes nothing, as its server says. */
  readonly readOnly?: boolean | undefined
  /** When it was sent, in milliseconds since 1970. */
  readonly startedAt?: number | undefined
  readonly elapsedMs?: number | undefined
  /** What it returned, or why it failed. */
  readonly result?: string | undefined
  /** The result is the beginning of a longer one. */
  readonly truncated?: boolean | undefined
}

/** A part of an answer that ended with calls: the model went on with their results. */
export interface ToolRound {
  readonly content: string
  readonly reasoning?: string | undefined
  readonly calls: readonly ToolCall[]
  /** The most rounds that an answer may have, if they were reached with this one. */
  readonly limit?: number | undefined
}

/**
 * Returns an id for a call of an answer. The ids of models and servers may repeat, and consent belongs to one call. Unique
 * in the answer by its place, and in the chat by chance; nine letters and digits, the only form that all models take.
 */
export function newCallId(round: number, index: number): string {
  const place = [round, index].map((number) => number.toString(36).padStart(2, '0')).join('')
  return (
    place + Array.from(crypto.getRandomValues(new Uint8Array(5)), (byte) => (byte % 36).toString(36)).join('')
  )
}

const settled: ReadonlySet<ToolCallState> = new Set(['done', 'failed', 'denied', 'stopped'])

export function isSettled({ state }: ToolCall): boolean {
  return settled.has(state)
}

/** Reports whether an answer stands still at its calls: all are written, and their results are not sent yet. */
export function hasOpenCalls(calls: readonly ToolCall[] | undefined): boolean {
  return calls !== undefined && calls.length > 0 && calls.every(({ state }) => state !== 'writing')
}

/** Returns the calls of an answer that has ended: those that the model had not written out are gone. */
export function stopCalls(calls: readonly ToolCall[]): readonly ToolCall[] {
  return calls
    .filter(({ state }) => state !== 'writing')
    .map((call) => (isSettled(call) ? call : { ...call, state: 'stopped' }))
}

/** Returns the calls of an answer that goes on after a stop or a reload. */
export function reopenCalls(calls: readonly ToolCall[]): readonly ToolCall[] {
  return calls.map((call) =>
    call.state === 'done' || call.state === 'failed' || call.state === 'denied' || call.state === 'writing'
      ? call
      : { ...call, state: 'waiting' },
  )
}

/** What the model is told of a call. */
export function resultText({ state, result = '' }: ToolCall): string {
  if (state === 'denied') return 'The user declined this call.'
  return state === 'done' || state === 'failed' ? result : 'The user stopped this call.'
}

export function toRequestCall({ id, name, arguments: args }: ToolCall): RequestToolCall {
  return { id, type: 'function', function: { name, arguments: args || '{}' } }
}

/** Parses the arguments that a model wrote. Returns undefined if they are not a JSON object. */
export function parseArguments(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text.trim() || '{}')
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Returns the arguments as they are sent, readable; the model’s own text if they are not JSON. */
export function argumentsText({ arguments: text }: Pick<ToolCall, 'arguments'>): string {
  const parsed = parseArguments(text)
  return visible(parsed ? JSON.stringify(parsed, null, 2) : text)
}

/** Characters that a reader does not see, or that change the order of others. Line ends and tabs stay. */
const hidden =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu

/** Writes hidden characters as escapes: the reader consents to what is sent, and must see all of it. */
export function visible(text: string): string {
  return text.replace(hidden, (char) =>
    char === '\n' || char === '\t' ? char : `\\u{${char.codePointAt(0)!.toString(16)}}`,
  )
}

/** Characters that open or close a quotation in some language. */
const quotation = /["\u00ab\u00bb\u201c-\u201f\u2039\u203a\u300c-\u300f\uff02]/g

/** Returns a name that a server chose, on one line: it can’t end the quotation in which a sentence of the page shows it. */
export function quotableName(name: string): string {
  return shortText(visible(name.replaceAll(/\s+/g, ' ')).replace(quotation, "'"))
}

const ISOLATE = '\u2068'
const END_ISOLATE = '\u2069'

/** Marks a part of a sentence whose direction must not change the rest. Its own marks of direction are made visible. */
export function isolated(text: string): string {
  return `${ISOLATE}${visible(text)}${END_ISOLATE}`
}

/** Splits a sentence into its own words (even places) and the isolated parts (odd places). */
export function splitIsolated(sentence: string): readonly string[] {
  return sentence.split(/[\u2068\u2069]/)
}

const SHORT = 60

/** Describes the arguments of a call in a few words. */
export function shortArguments({ arguments: text }: Pick<ToolCall, 'arguments'>): string {
  const entries = Object.entries(parseArguments(text) ?? { '': text })
  const [only] = entries
  const words =
    entries.length === 1
      ? valueText(only![1])
      : entries.map(([key, value]) => `${key}: ${valueText(value)}`).join(', ')
  return shortText(visible(words))
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Returns the beginning of a text, on one line. */
export function shortText(text: string): string {
  const line = text
    .slice(0, SHORT * 8)
    .replaceAll(/\s+/g, ' ')
    .trim()
  const characters = Array.from(line)
  return characters.length > SHORT ? `${characters.slice(0, SHORT).join('')}…` : line
}
