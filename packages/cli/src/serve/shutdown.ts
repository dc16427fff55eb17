import { setTimeout } from 'node:timers/promises'
import { exitCodes } from '../exit-codes.ts'

const signals = ['SIGINT', 'SIGTERM'] as const

/**
 * npm passes Ctrl+C on to a process that has already got it from the terminal: signals within this many milliseconds are
 * one.
 */
const togetherMs = 300

/** Time to close connections, sessions and models after the drain. It takes well under a second unless a part of it hangs. */
const closingMs = 5_000

/**
 * Ends the process if a shutdown takes longer than its drain and the closing after it, whatever hangs: a service manager
 * would kill it without a word in the log. `onLate` reports that.
 */
export function endWithin(
  drainTimeoutMs: number,
  { onLate, process: target = process }: { readonly onLate: () => void } & Pick<ShutdownOptions, 'process'>,
): void {
  const late = (): void => {
    onLate()
    target.exit(exitCodes.failure)
  }
  globalThis.setTimeout(late, drainTimeoutMs + closingMs).unref()
}

export interface ShutdownOptions {
  /** Called at the first signal: running work may finish. */
  readonly onFirst: () => void
  /** For tests; default: the process. */
  readonly process?: Pick<NodeJS.Process, 'on' | 'off' | 'exit' | 'channel'>
  /** Whether the process has a terminal that may be closed; default: whether one of the standard streams is a terminal. */
  readonly hasTerminal?: boolean
}

/**
 * Resolves at the first SIGINT or SIGTERM, when the terminal is closed, and when the process that started this one with
 * IPC (scripts/with-setup.mjs) has ended. A later second signal ends the process at once.
 *
 * Without a terminal, SIGHUP is ignored: `nohup` requests this, but Node resets the setting of `nohup`.
 */
export async function waitForShutdown({
  onFirst,
  process: target = process,
  hasTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY),
}: ShutdownOptions): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const signal of signals) target.on(signal, resolve)
  target.on('SIGHUP', () => {
    if (hasTerminal) resolve()
  })
  target.on('disconnect', resolve)
  // Listening to the channel must not keep the process from ending.
  target.channel?.unref()
  await promise
  onFirst()
  void setTimeout(togetherMs, undefined, { ref: false }).then(() => {
    for (const signal of signals) target.on(signal, () => target.exit(exitCodes.interrupted))
  })
}
