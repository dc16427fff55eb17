import { formatModelSource } from '@petals-chat/engine'
import { createModelStore, type ModelStore } from '@petals-chat/hub'
import { loadConfig, type LoadedConfig } from '../config/load.ts'
import type { LocalModelEntry, ModelEntry } from '../config/schema.ts'
import { withSwarmPaths } from '../config/swarm-paths.ts'
import type { CommandContext } from '../context.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { findModel } from '../models/named-model.ts'
import { draftOf, nothing, removeIfThere, usersOf, type Removed } from '../models/shared-files.ts'
import { createStore } from '../runtime.ts'
import { formatBytes } from '../terminal/format.ts'

/**
 * Deletes a model's files, those of its draft model, and the files derived from them, from the caches. A user's own file is
 * never deleted, nor one that another model of the configuration needs.
 */
export async function removeModel(context: CommandContext, [name = '']: readonly string[]): Promise<void> {
  const loaded = await loadConfig(context)
  const model = findModel(loaded, name, context.workingDirectory)
  const store = createStore(loaded)
  const others = loaded.config.models.filter((each) => !isSame(each, model, loaded))
  const users = await usersOf(model.source, others, store)
  if (users.length > 0)
    throw new CommandError(
      `Nothing was deleted, because the configuration file has models with the same files: ${users.join(', ')}. ` +
        `Remove those from it first if you don't need them.`,
      exitCodes.failure,
    )
  // Before the weights, because it is found through them.
  const besides = [await removeDerived(model, loaded), await removeDraft(model, others, store, context)]
  const parts = [await removeOwn(model, store, besides), ...besides]
  for (const path of parts.flatMap(({ paths }) => paths)) context.terminal.out(path)
  const freedBytes = parts.reduce((sum, part) => sum + part.freedBytes, 0)
  context.terminal.note(`Deleted; ${formatBytes(freedBytes)} freed.`)
}

/** A model that is named by its source, not by its id, is that of every entry with this source. */
function isSame(entry: ModelEntry, named: LocalModelEntry, { config }: LoadedConfig): boolean {
  if (entry === named) return true
  const isNamedBySource = !config.models.includes(named)
  return (
    isNamedBySource &&
    entry.engine !== 'upstream' &&
    formatModelSource(entry.source) === formatModelSource(named.source)
  )
}

/** @throws ModelSourceError if there was nothing to delete, `besides` neither */
async function removeOwn(
  { source }: LocalModelEntry,
  store: ModelStore,
  besides: readonly Removed[],
): Promise<Removed> {
  const hasDeleted = besides.some(({ paths }) => paths.length > 0)
  if (source.type === 'local' && hasDeleted) return nothing
  return hasDeleted ? await removeIfThere(source, store) : await store.remove(source)
}

async function removeDraft(
  model: LocalModelEntry,
  others: readonly ModelEntry[],
  store: ModelStore,
  { terminal }: CommandContext,
): Promise<Removed> {
  const draft = draftOf(model)
  if (!draft || draft.type === 'local') return nothing
  const users = await usersOf(draft, others, store)
  if (users.length === 0) return await removeIfThere(draft, store)
  terminal.note(`Kept the draft model ${formatModelSource(draft)}, also needed by ${users.join(', ')}.`)
  return nothing
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
