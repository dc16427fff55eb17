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
  readonly process?: Pick<NodeJS.Process, 'on' | 'off' | 'exit'>
}

/** Resolves at the first SIGINT or SIGTERM. A second one, meant as such, ends the process at once. */
export async function waitForShutdown({
  onFirst,
  process: target = process,
}: ShutdownOptions): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const signal of signals) target.on(signal, resolve)
  await promise
  onFirst()
  void setTimeout(togetherMs, undefined, { ref: false }).then(() => {
    for (const signal of signals) target.on(signal, () => target.exit(exitCodes.interrupted))
  })
}
