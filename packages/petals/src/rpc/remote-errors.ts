import { ProtocolError } from '../errors.ts'

/** Python exceptions that servers raise; `TimeoutError` has no text. */
export type PythonError = 'AssertionError' | 'KeyError' | 'RuntimeError' | 'TimeoutError' | 'ValueError'

/** An error that a caller is told. `name` of other errors stays here: their text may say something about this machine. */
export class ServedError extends Error {
  override readonly name = 'ServedError'
  readonly python: PythonError

  constructor(python: PythonError, message: string, options?: ErrorOptions) {
    super(message, options)
    this.python = python
  }
}

/** What a caller is told of an error that is not meant for it. */
const internal = 'The server failed to handle the request.'

/** Reports whether the text of an error is meant for the caller. */
export const isForCaller = (error: unknown): boolean =>
  error instanceof ServedError || error instanceof ProtocolError

/** Returns the text of an error frame: Python's `str` of the exception. */
export function textOfStreamError(error: unknown): string {
  if (error instanceof ServedError)
    return error.python === 'KeyError' ? pythonString(error.message) : error.message
  return error instanceof ProtocolError ? error.message : internal
}

/** Returns the error of a unary call: Python's `repr` of the exception. */
export function textOfUnaryError(error: unknown): string {
  const name = error instanceof ServedError ? error.python : 'RuntimeError'
  const text = error instanceof ServedError || error instanceof ProtocolError ? error.message : internal
  return `${name}(${text === '' ? '' : pythonString(text)})`
}

/** Returns a text as Python's `repr` writes it. */
function pythonString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll(quote, `\\${quote}`)
  return `${quote}${escaped}${quote}`
}
