import { loadConfig } from '../config/load.ts'
import type { CommandContext } from '../context.ts'
import { findModel } from '../models/named-model.ts'
import { createStore } from '../runtime.ts'
import { formatBytes } from '../terminal/format.ts'

/** Deletes a model's files from the caches; a file of the user's own is never touched. */
export async function removeModel(context: CommandContext, [name = '']: readonly string[]): Promise<void> {
  const loaded = await loadConfig(context)
  const { source } = findModel(loaded, name, context.workingDirectory)
  const { paths, freedBytes } = await createStore(loaded).remove(source)
  for (const path of paths) context.terminal.out(path)
  context.terminal.note(`Deleted; ${formatBytes(freedBytes)} are free again.`)
}
