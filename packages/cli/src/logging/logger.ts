import type { Logger } from '@petals-chat/engine'
import { pino, stdSerializers, stdTimeFunctions } from 'pino'
import type { Terminal } from '../terminal/terminal.ts'
import type { LogConfig } from './config.ts'
import { createRedactor, redacted, secretFields } from './redact.ts'

export interface LoggerOptions {
  /** Values that must never be logged. */
  readonly secrets?: readonly string[]
}

/** Creates a logger for stderr. With the format `auto`: readable coloured lines on a terminal, else one JSON object per line. */
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

/** At debug, shows all fields; otherwise the message with only the fields that matter to a user. */
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
  // The text may or may not end with a line break, depending on what was hidden.
  return (line) => `${prettify(escapeRecord(JSON.parse(line))).trimEnd()}\n`
}

/**
 * Formats a record: `GET /v1/models: 200, 3 ms` for a request; else the message, with the route through a swarm, or with
 * the error if the message does not contain it.
 */
export function formatRecord(record: Readonly<Record<string, unknown>>): string {
  const { msg, method, path, status, ms, err, aborted, route } = record
  if (msg === 'request') {
    const gone = aborted === true ? ', the client disconnected' : ''
    return `${String(method)} ${String(path)}: ${String(status)}, ${String(ms)} ms${gone}`
  }
  if (typeof route === 'string') return `${String(msg)}: ${route}`
  const text = String(msg)
  if (typeof err !== 'string' || text.includes(err)) return text
  // A failure whose message is that of its error, which may name its cause, too.
  return err.startsWith(text) ? err : `${text}: ${err}`
}

/** A user at a terminal wants to know what happened; stack traces are for `--log-level debug`. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { cause } = error
  const isToldCause = !(cause instanceof Error) || error.message.includes(cause.message)
  return isToldCause ? error.message : `${error.message} (${cause.message})`
}

/**
 * Characters that control a terminal or reorder a line: control characters except line feed and tab, line and paragraph
 * separators, marks of writing direction. Clients control parts of the log (paths, names), so these must be escaped.
 */
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Escapes such characters in a line of JSON, which JSON reads as the same text. */
const escapeInJson = (line: string): string =>
  line.replace(controls, (each) => (each === '\n' ? each : escaped(each)))

/** Escapes text for a terminal, and indents the lines after the first, so that none looks like another record. */
const escapeForTerminal = (text: string): string => text.replace(controls, escaped).replaceAll('\n', '\n    ')

/** Escapes all texts of a log record for a terminal. */
function escapeRecord(value: unknown): unknown {
  if (typeof value === 'string') return escapeForTerminal(value)
  if (Array.isArray(value)) return value.map(escapeRecord)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [escapeForTerminal(name), escapeRecord(item)]),
  )
}
