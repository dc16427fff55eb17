import { createModelStore, type ModelStore } from '@petals-chat/hub'
import { formatModelSource, type ModelSource } from '@petals-chat/engine'
import { loadConfig } from '../config/load.ts'
import type { ModelEntry } from '../config/schema.ts'
import type { CommandContext } from '../context.ts'
import { draftOf } from '../models/shared-files.ts'
import { formatBytes, formatTable } from '../terminal/format.ts'

/** Lists the configured models and the contents of the caches. Uses no network. */
export async function listModels(context: CommandContext): Promise<void> {
  const { terminal } = context
  const { config, baseFolder } = await loadConfig(context)
  const store = createModelStore({ ...config.hub, offline: true }, { baseFolder })

  const rows = await Promise.all(config.models.map((spec) => describeModel(spec, store)))
  for (const line of formatTable([['MODEL', 'ENGINE', 'FILES', 'SOURCE'], ...rows.flat()])) terminal.out(line)

  const cached = await store.list()
  if (cached.length === 0) return
  terminal.out()
  const cacheRows = cached.map(({ source, sizeBytes, partialBytes, folder }) => [
    source,
    partialBytes === 0
      ? formatBytes(sizeBytes)
      : `${formatBytes(sizeBytes)} + ${formatBytes(partialBytes)} unfinished`,
    folder,
  ])
  for (const line of formatTable([['IN THE CACHE', 'SIZE', 'FOLDER'], ...cacheRows])) terminal.out(line)
}

/** Returns a line for the model, and one for its draft model if it has one. */
async function describeModel(spec: ModelEntry, store: ModelStore): Promise<readonly (readonly string[])[]> {
  const { id, engine } = spec
  if (spec.engine === 'upstream')
    return [[id, engine, 'at another server', (spec.baseUrls ?? [spec.baseUrl]).join(', ')]]
  const { source } = spec
  const files = engine === 'petals' ? 'in the swarm' : await describeFiles(source, store)
  const own = [id, engine, files, formatModelSource(source)]
  const draft = draftOf(spec)
  if (!draft) return [own]
  return [own, [`${id} (draft)`, 'llama', await describeFiles(draft, store), formatModelSource(draft)]]
}

async function describeFiles(source: ModelSource, store: ModelStore): Promise<string> {
  const alternatives = await store.info(source)
  const best = alternatives.toSorted((a, b) => b.cachedBytes - a.cachedBytes)[0]
  if (best === undefined || best.cachedBytes === 0) return 'not downloaded'
  const isWhole = best.files.length > 0 && best.files.every(({ path }) => path !== undefined)
  return isWhole
    ? `downloaded, ${formatBytes(best.cachedBytes)}`
    : `${formatBytes(best.cachedBytes)} downloaded`
}
