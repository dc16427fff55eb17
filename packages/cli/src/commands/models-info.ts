import { loadConfig, type LoadedConfig } from '../config/load.ts'
import type { LocalModelEntry } from '../config/schema.ts'
import type { CommandContext } from '../context.ts'
import { describeGguf, describeLocalPart, describeSwarmModel, type Field } from '../models/describe-model.ts'
import { localNeed } from '../models/memory-need.ts'
import { findModel } from '../models/named-model.ts'
import { draftOf } from '../models/shared-files.ts'
import { createStore } from '../runtime.ts'
import { formatBytes } from '../terminal/format.ts'
import { EngineError, formatModelSource, type ModelFiles } from '@petals-chat/engine'
import type { PetalsModelSpec } from '@petals-chat/petals/config'
import type { CachedModel, ModelSourceInfo, ModelStore } from '@petals-chat/hub'

/** Shows what is known about a model: its files, the properties in its GGUF or config.json, the memory that it needs. */
export async function showModel(context: CommandContext, [name = '']: readonly string[]): Promise<void> {
  const { terminal } = context
  const loaded = await loadConfig(context)
  const model = findModel(loaded, name, context.workingDirectory)
  const fields = await describe(model, loaded)
  const width = Math.max(...fields.map(([label]) => label.length))
  for (const [label, value] of fields) terminal.out(`${terminal.style('dim', label.padEnd(width))}  ${value}`)
}

async function describe(model: LocalModelEntry, loaded: LoadedConfig): Promise<readonly Field[]> {
  const store = createStore(loaded)
  const alternatives = await store.info(model.source)
  const file = alternatives
    .flatMap(({ files }) => files)
    .find(({ name, path }) => path !== undefined && /\.gguf$/i.test(name))
  const details =
    file?.path === undefined
      ? await describeRepository(model, store)
      : await describeGguf(file.path, loaded.config.llama)
  const cached = model.engine === 'petals' ? await store.list() : undefined
  return [
    ['Model', model.id],
    ['Engine', model.engine],
    ...alternatives.flatMap((alternative) => describeSource(alternative, cached)),
    ...details,
    ...(await describeDraft(model, store)),
    ...optional(
      'Licence',
      model.license ?? alternatives.find(({ license }) => license !== undefined)?.license,
    ),
    ...optional('Model card', model.modelCard ?? alternatives.find(({ page }) => page !== undefined)?.page),
  ]
}

async function describeDraft(model: LocalModelEntry, store: ModelStore): Promise<readonly Field[]> {
  const draft = draftOf(model)
  if (!draft) return []
  const need = await localNeed({ source: draft }, store).catch(() => undefined)
  const memory =
    need === undefined
      ? 'not downloaded: petals-chat models pull'
      : `about ${formatBytes(need.bytes)} of memory`
  return [['Draft model', `${formatModelSource(draft)}, ${memory}`]]
}

const optional = (label: string, value: string | undefined): readonly Field[] =>
  value === undefined ? [] : [[label, value]]

/** @param cached - the contents of the caches, for a model of which only parts are downloaded */
function describeSource(info: ModelSourceInfo, cached: readonly CachedModel[] | undefined): readonly Field[] {
  const { source, files, sizeBytes, gated, page, detail } = info
  const size = sizeBytes === undefined ? 'size unknown' : formatBytes(sizeBytes)
  const paths = files.flatMap(({ path }) => path ?? [])
  return [
    ['Source', source],
    [cached === undefined ? 'Size' : 'Repository', `${size}, ${stateOf(info, cached)}`],
    ...paths
      .slice(0, 1)
      .map((path): Field => ['File', paths.length === 1 ? path : `${path} and ${paths.length - 1} more`]),
    ...(gated === true
      ? [['Access', `gated: accept the licence on ${page ?? 'its page'} and set HF_TOKEN`] as const]
      : []),
    ...optional('Note', detail),
  ]
}

function stateOf(
  { type, source, sizeBytes, cachedBytes }: ModelSourceInfo,
  cached: readonly CachedModel[] | undefined,
): string {
  const isHere = sizeBytes !== undefined && cachedBytes >= sizeBytes
  if (isHere && (type === 'local' || cachedBytes > 0)) return 'on this machine'
  const repository = source.split('@')[0]
  const bytes = cached?.find((each) => each.source === repository)?.sizeBytes ?? cachedBytes
  return bytes === 0 ? 'not downloaded' : `${formatBytes(bytes)} downloaded`
}

async function describeRepository(model: LocalModelEntry, store: ModelStore): Promise<readonly Field[]> {
  try {
    const files = await store.openFiles(model.source)
    const config = await files.text('config.json')
    const localPart = config === undefined ? [] : describeLocalPart(config)
    return model.engine === 'petals' ? [...(await describeInSwarm(model, files)), ...localPart] : localPart
  } catch {
    // Why the files are unavailable (offline, gated, a source of one file) was reported with the source.
    return model.engine === 'petals'
      ? []
      : [['More', 'available after the download: petals-chat models pull']]
  }
}

/** Reports an error as a note, because the other lines are useful even for a model that no swarm can serve. */
async function describeInSwarm(model: PetalsModelSpec, files: ModelFiles): Promise<readonly Field[]> {
  try {
    return await describeSwarmModel(model, files)
  } catch (error) {
    if (error instanceof EngineError) return [['Note', error.message]]
    throw error
  }
}
