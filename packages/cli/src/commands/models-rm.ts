import { createModelStore } from '@petals-chat/hub'
import { loadConfig, type LoadedConfig } from '../config/load.ts'
import type { LocalModelEntry } from '../config/schema.ts'
import { withSwarmPaths } from '../config/swarm-paths.ts'
import type { CommandContext } from '../context.ts'
import { findModel } from '../models/named-model.ts'
import { createStore } from '../runtime.ts'
import { formatBytes } from '../terminal/format.ts'

interface Removed {
  readonly paths: readonly string[]
  readonly freedBytes: number
}

/**
 * Deletes a model's files, and the files derived from them, from the caches; a user's own file is never deleted.
 */
export async function removeModel(context: CommandContext, [name = '']: readonly string[]): Promise<void> {
  const loaded = await loadConfig(context)
  const model = findModel(loaded, name, context.workingDirectory)
  // First, because it is found through the weights.
  const derived = await removeDerived(model, loaded)
  const isOwn = model.source.type === 'local'
  const downloaded: Removed =
    isOwn && derived.paths.length > 0
      ? { paths: [], freedBytes: 0 }
      : await createStore(loaded)
          .remove(model.source)
          .catch((error: unknown) => {
            if (derived.paths.length > 0) return { paths: [], freedBytes: 0 }
            throw error
          })
  for (const path of [...downloaded.paths, ...derived.paths]) context.terminal.out(path)
  context.terminal.note(`Deleted; ${formatBytes(downloaded.freedBytes + derived.freedBytes)} freed.`)
}

/** Deletes the 8-bit copy of a swarm model's LM head. The model may be named without its engine; then it may have none. */
async function removeDerived(model: LocalModelEntry, { config, baseFolder }: LoadedConfig): Promise<Removed> {
  const { removeLocalPart } = await import('@petals-chat/petals')
  const store = createModelStore({ ...config.hub, offline: true }, { baseFolder })
  return await removeLocalPart(model, {
    cacheFolder: withSwarmPaths(config.swarm, baseFolder).cacheDir,
    openFiles: (source, options) => store.openFiles(source, options),
  })
}
