import { setTimeout } from 'node:timers/promises'
import { exitCodes } from '../exit-codes.ts'

const signals = ['SIGINT', 'SIGTERM'] as const

/**
 * npm passes Ctrl+C on to a process that the terminal has told already: signals that come together are one, in
 * milliseconds.
 */
const togetherMs = 300

export interface ShutdownOptions {
  /** The first signal came: work may end in peace. */
  readonly onFirst: () => void
  /** For tests; default the process. */
  readonly process?: Pick<NodeJS.Process, 'on' | 'off' | 'exit' | 'channel'>
  /** Whether a terminal may be hung up on; default: if one of the standard streams is a terminal. */
  readonly hasTerminal?: boolean
}

/**
 * Resolves at the first SIGINT or SIGTERM, when the terminal is closed, and when the process that started this one over
 * IPC (scripts/with-setup.mjs) is gone. A second signal, meant as such, ends the process at once.
 *
 * Without a terminal SIGHUP means nothing: `nohup` asks to ignore it, but Node resets what `nohup` has set.
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
