import { EngineError } from '@petals-chat/engine'
import { ConfigError } from './config/problem.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import type { Terminal } from './terminal/terminal.ts'

export interface FailureOptions {
  /** Also print the stack trace. */
  readonly withStack: boolean
}

/** Prints why a command failed. Returns the exit code. */
export function reportFailure(error: unknown, terminal: Terminal, { withStack }: FailureOptions): number {
  terminal.status('')
  terminal.note(`${terminal.style('red', 'petals-chat:')} ${describeFailure(error)}`)
  if (withStack && error instanceof Error) terminal.note(error.stack)
  if (error instanceof ConfigError) return exitCodes.usage
  return error instanceof CommandError ? error.exitCode : exitCodes.failure
}

function describeFailure(error: unknown): string {
  if (error instanceof ConfigError || error instanceof CommandError || error instanceof EngineError)
    return error.message
  const message = error instanceof Error ? error.message : String(error)
  return `unexpected error: ${message}\nRun the command again with --log-level debug to see the stack trace.`
}
