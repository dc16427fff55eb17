/** Exit statuses of the command (docs/configuration.md). */
export const exitCodes = {
  ok: 0,
  /** The command failed: a model is unavailable, the port is in use, a check of `doctor` failed. */
  failure: 1,
  /** The command line or the configuration is wrong; nothing was done. */
  usage: 2,
  /** The user pressed Ctrl+C a second time, or the process got a second signal to end. */
  interrupted: 130,
} as const

/** A failure whose message explains it completely. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = exitCodes.failure, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}
