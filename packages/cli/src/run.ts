import type { CommandContext } from './context.ts'

/** A command, with the arguments after its name. Resolves to its exit code; undefined means ok. */
export type Action = (context: CommandContext, args: readonly string[]) => Promise<number | void>

/** Wraps an action, whose code is loaded when it runs. */
export type Run = (load: () => Promise<Action>) => (...params: unknown[]) => Promise<void>
