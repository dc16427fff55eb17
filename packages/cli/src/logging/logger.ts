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
  const toText = isPretty ? await loadPrettifier(terminal) : (line: string) => line
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

async function loadPrettifier(terminal: Terminal): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty')
  return prettyFactory({
    colorize: terminal.hasColors,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
  }) as (line: string) => string
}

/** Someone who watches a terminal wants to know what happened; where in our code is for `--log-level debug`. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { cause } = error
  return cause instanceof Error ? `${error.message} (${cause.message})` : error.message
}
