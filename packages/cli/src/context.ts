import type { Environment, Flags } from './config/overrides.ts'
import type { Terminal } from './terminal/terminal.ts'

/** The environment of every command, which tests replace. */
export interface CommandContext {
  readonly terminal: Terminal
  readonly environment: Environment
  readonly workingDirectory: string
  /** By `flagKey`. */
  readonly flags: Flags
}
