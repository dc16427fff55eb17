import type { Logger } from '@petals-chat/engine'
import { pino, stdSerializers, stdTimeFunctions } from 'pino'
import type { Terminal } from '../terminal/terminal.ts'
import type { LogConfig } from './config.ts'
import { createRedactor, redacted, secretFields } from './redact.ts'

export interface LoggerOptions {
  /** Values that may never be logged. */
  readonly secrets?: readonly string[]
}

/** Logs to stderr: in words and colours on a terminal, one JSON object a line elsewhere, unless the config says which. */
export async function createLogger(
  { level, format }: LogConfig,
  terminal: Terminal,
  { secrets = [] }: LoggerOptions = {},
): Promise<Logger> {
  const isPretty = format === 'pretty' || (format === 'auto' && terminal.isInteractive)
  const redact = createRedactor(secrets)
  const toText = isPretty ? await loadPrettifier({ level }, terminal) : escapeInJson
  const stream = terminal.noteStream
  const logger: Logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...secretFields], censor: redacted },
      serializers: { err: isPretty && level !== 'debug' ? describeError : stdSerializers.err },
    },
    { write: (line: string) => stream.write(redact(toText(line))) },
  )
  return logger
}

/** At debug everything that is known; else the sentence, and no more of the fields than a person wants to see pass by. */
async function loadPrettifier(
  { level }: Pick<LogConfig, 'level'>,
  terminal: Terminal,
): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty')
  const isDebug = level === 'debug'
  const prettify = prettyFactory({
    colorize: terminal.hasColors,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
    hideObject: !isDebug,
    ...(!isDebug && { messageFormat: (record) => formatRecord(record) }),
  })
  // Whether the text ends its line depends on what was hidden.
  return (line) => `${prettify(escapeRecord(JSON.parse(line))).trimEnd()}\n`
}

/**
 * `GET /v1/models: 200, 3 ms` for a request; else the message, with the way through a swarm, or the error where the
 * message does not say it.
 */
export function formatRecord(record: Readonly<Record<string, unknown>>): string {
  const { msg, method, path, status, ms, err, aborted, route } = record
  if (msg === 'request') {
    const gone = aborted === true ? ', the client has gone' : ''
    return `${String(method)} ${String(path)}: ${String(status)}, ${String(ms)} ms${gone}`
  }
  if (typeof route === 'string') return `${String(msg)}: ${route}`
  const isSaid = typeof err !== 'string' || String(msg).includes(err)
  return isSaid ? String(msg) : `${String(msg)}: ${err}`
}

/** Someone who watches a terminal wants to know what happened; where in our code is for `--log-level debug`. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { cause } = error
  return cause instanceof Error ? `${error.message} (${cause.message})` : error.message
}

/**
 * Characters that a terminal obeys or that reorder a line: controls but line feed and tab, line and paragraph separators,
 * marks of writing direction. Clients choose parts of what is logged (paths, names), so none of them may reach a terminal.
 */
const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** The line of JSON with such characters written as escapes, which JSON reads as the same text. */
const escapeInJson = (line: string): string =>
  line.replace(obeyed, (each) => (each === '\n' ? each : escaped(each)))

/** Text for a person: escapes are shown, and the lines after the first are indented, so that none passes for another record. */
const escapeForTerminal = (text: string): string => text.replace(obeyed, escaped).replaceAll('\n', '\n    ')

/** The same for all texts of a log record. */
function escapeRecord(value: unknown): unknown {
  if (typeof value === 'string') return escapeForTerminal(value)
  if (Array.isArray(value)) return value.map(escapeRecord)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [escapeForTerminal(name), escapeRecord(item)]),
  )
}
