import { loadConfig } from '../config/load.ts'
import type { CommandContext } from '../context.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { findModel } from '../models/named-model.ts'
import { createStore } from '../runtime.ts'
import { ProgressDisplay } from '../terminal/progress.ts'

/** Fetches a model's file and prints where it is. What is here already is not fetched again. */
export async function pullModel(context: CommandContext, [name = '']: readonly string[]): Promise<void> {
  const { terminal } = context
  const loaded = await loadConfig(context)
  const { source, sha256 } = findModel(loaded, name, context.workingDirectory)
  const stopping = new AbortController()
  process.once('SIGINT', () =>
    stopping.abort(new CommandError('Interrupted. What was fetched is kept.', exitCodes.interrupted)),
  )
  const display = new ProgressDisplay(terminal)
  try {
    const file = await createStore(loaded).resolveFile(source, {
      sha256,
      refresh: true,
      signal: stopping.signal,
      onProgress: (progress) => display.update(progress),
    })
    display.finish()
    terminal.out(file)
  } finally {
    display.finish()
  }
}
