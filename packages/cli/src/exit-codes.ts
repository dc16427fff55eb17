/** What the command's exit status says (docs/configuration.md). */
export const exitCodes = {
  ok: 0,
  /** It was tried and went wrong: a model can't be had, the port is taken, a check of `doctor` failed. */
  failure: 1,
  /** Nothing was tried: the command line or the configuration is wrong. */
  usage: 2,
  /** The user pressed Ctrl+C a second time, or the process was told twice to end. */
  interrupted: 130,
} as const

/** A failure that needs no more than its message to be understood. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = exitCodes.failure, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}
