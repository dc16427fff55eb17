import { createModelStore } from '@petals-chat/hub'
import { loadConfig } from '../config/load.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { ModelEntry } from '../config/schema.ts'
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
 * Deletes a model's files from the caches, and what was made of them; a file of the user's own is never touched.
 */
export async function removeModel(context: CommandContext, [name = '']: readonly string[]): Promise<void> {
  const loaded = await loadConfig(context)
  const model = findModel(loaded, name, context.workingDirectory)
  // First: it is found by where the weights are.
  const made = await removeMade(model, loaded)
  const isOwn = model.source.type === 'local'
  const fetched: Removed =
    isOwn && made.paths.length > 0
      ? { paths: [], freedBytes: 0 }
      : await createStore(loaded)
          .remove(model.source)
          .catch((error: unknown) => {
            if (made.paths.length > 0) return { paths: [], freedBytes: 0 }
            throw error
          })
  for (const path of [...fetched.paths, ...made.paths]) context.terminal.out(path)
  context.terminal.note(`Deleted; ${formatBytes(fetched.freedBytes + made.freedBytes)} are free again.`)
}

/** The 8-bit copy of a swarm model's LM head. A GGUF that has none may be named without its engine. */
async function removeMade(model: ModelEntry, { config, baseFolder }: LoadedConfig): Promise<Removed> {
  const { removeLocalPart } = await import('@petals-chat/petals')
  const store = createModelStore({ ...config.hub, offline: true }, { baseFolder })
  return await removeLocalPart(model, {
    cacheFolder: withSwarmPaths(config.swarm, baseFolder).cacheDir,
    openFiles: (source, options) => store.openFiles(source, options),
  })
}
