import type { Environment, Flags } from './config/overrides.ts'
import type { Terminal } from './terminal/terminal.ts'

/** What every command is given: the world outside, so that tests can bring their own. */
export interface CommandContext {
  readonly terminal: Terminal
  readonly environment: Environment
  readonly workingDirectory: string
  /** By `flagKey`. */
  readonly flags: Flags
}
