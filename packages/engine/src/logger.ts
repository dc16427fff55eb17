/** Writes one structured record: fields for machines (an error as `err`, as in `pino`), a sentence for people. */
export type Log = (fields: object, message: string) => void

/** The logger that a package needs; `pino` fits. Packages are silent unless the caller passes one. */
export interface Logger {
  readonly debug: Log
  readonly info: Log
  readonly warn: Log
  readonly error: Log
  child(bindings: object): Logger
}

const ignore: Log = () => {}

/** The default logger, which drops everything. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
}
