import { EngineError } from '@petals-chat/engine'
import { ConfigError } from './config/problem.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import type { Terminal } from './terminal/terminal.ts'

export interface FailureOptions {
  /** Show where in the code it happened. */
  readonly withStack: boolean
}

/** Tells the user why a command ended, in a sentence; gives the exit code. */
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
  return `something went wrong that should not: ${message}\nRun it again with --log-level debug to see where.`
}
