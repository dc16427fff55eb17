/** Writes one structured record: fields for machines (an error as `err`, as `pino` knows it), a sentence for people. */
export type Log = (fields: object, message: string) => void

/** What a package needs of a logger. Silent unless the caller hands one in; `pino` fits. */
export interface Logger {
  readonly debug: Log
  readonly info: Log
  readonly warn: Log
  readonly error: Log
  child(bindings: object): Logger
}

const ignore: Log = () => {}

/** The logger of a caller that brought none. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
}
