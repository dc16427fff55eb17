import { stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { readBlockModel, type BlockModel } from '@petals-chat/contribute'
import {
  formatModelSource,
  parseModelSource,
  singleSources,
  type HubSource,
  type LocalSource,
  type ModelSource,
} from '@petals-chat/engine'
import { defaultModel, type ModelStore } from '@petals-chat/hub'
import { expandHome } from '@petals-chat/hub/config'
import { deriveDhtPrefix } from '@petals-chat/petals/config'
import type { LoadedConfig } from '../config/load.ts'
import { modelEntrySchema, type ModelEntry } from '../config/schema.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'

/** A model whose blocks this machine will serve. */
export interface ContributedModel {
  /** Name for messages. */
  readonly name: string
  /** `owner/repo`, or a folder, absolute. */
  readonly model: string
  readonly isLocal: boolean
  readonly revision: string | undefined
  /** Without a file or quantization, unless it is a GGUF. */
  readonly source: ModelSource
  /** It is a GGUF file, which only the native engine can read. */
  readonly isGguf: boolean
  /** Its entry in the configuration, if it has one. */
  readonly spec: ModelEntry | undefined
}

/**
 * Finds a model by an id or alias of the configuration, a folder or file, the name of the default model,
 * `hf:owner/repo[@revision]` or `owner/repo`, in this order.
 * @throws CommandError
 */
export async function findContributedModel(
  text: string,
  { config, baseFolder }: Pick<LoadedConfig, 'config' | 'baseFolder'>,
  workingDirectory: string,
): Promise<ContributedModel> {
  const spec = config.models.find((entry) => isNamed(entry, text))
  if (spec?.engine === 'upstream')
    throw new CommandError(
      `Another server runs the model '${spec.id}': it has no files here to serve to a swarm.`,
      exitCodes.usage,
    )
  if (spec !== undefined) return ofSource(spec.id, spec.source, baseFolder, spec)
  const folder = path.resolve(workingDirectory, expandHome(text, homedir()))
  if ((await kindOf(folder)) !== 'none')
    return ofSource(text, { type: 'local', path: folder }, workingDirectory)
  if (isNamed(defaultEntry, text))
    return ofSource(defaultEntry.id, parseModelSource(defaultModel.source), baseFolder, defaultEntry)
  if (text.startsWith('hf:')) return ofSource(text, parseModelSource(text), workingDirectory)
  if (/^[\w.-]+\/[\w.-]+(@\S+)?$/.test(text) && !text.startsWith('.'))
    return ofSource(text, parseModelSource(`hf:${text}`), workingDirectory)
  const ids = config.models.filter(({ engine }) => engine === 'petals').map(({ id }) => id)
  const known = ids.length === 0 ? '' : ` Models of the configuration: ${ids.join(', ')}.`
  throw new CommandError(
    `There is no folder and no configured model '${text}'. Write a repository of the Hub (owner/repo), a folder with config.json and the weights, or a GGUF file.${known}`,
    exitCodes.usage,
  )
}

/** Another machine joins by this model's name, whatever its configuration has. */
const defaultEntry = modelEntrySchema.parse(defaultModel)

/** A whole name of a repository means its own files, also where it is another name of an entry of a GGUF file. */
const isNamed = ({ id, aliases, engine }: ModelEntry, text: string): boolean =>
  id === text || (aliases.includes(text) && (engine === 'petals' || !text.includes('/')))

async function kindOf(place: string): Promise<'folder' | 'file' | 'none'> {
  const found = await stat(place).catch(() => undefined)
  return found === undefined ? 'none' : found.isDirectory() ? 'folder' : 'file'
}

async function ofSource(
  name: string,
  given: ModelSource,
  baseFolder: string,
  spec?: ModelEntry,
): Promise<ContributedModel> {
  const found = (await ofTransformers(given, baseFolder)) ?? (await ofGguf(given, baseFolder))
  if (found !== undefined) return { ...found, name, spec }
  throw new CommandError(
    `'${name}' is not a model that a server of a swarm can load: it is ${formatModelSource(given)}. Servers take a repository or a folder with config.json and weights (safetensors or pytorch_model.bin), or a GGUF file.`,
    exitCodes.usage,
  )
}

type Found = Omit<ContributedModel, 'name' | 'spec'>

/** Finds a repository or a folder, which has weights in the format of transformers, or one GGUF file. */
async function ofTransformers(given: ModelSource, baseFolder: string): Promise<Found | undefined> {
  for (const source of singleSources(given)) {
    if (source.type === 'hub' && source.file === undefined && source.quantization === undefined)
      return { model: source.repo, isLocal: false, revision: revisionOf(source), source, isGguf: false }
    const folder = source.type === 'local' ? placeOf(source, baseFolder) : ''
    if (folder !== '' && (await kindOf(folder)) === 'folder') return { ...local(folder), isGguf: false }
  }
  return undefined
}

async function ofGguf(given: ModelSource, baseFolder: string): Promise<Found | undefined> {
  const isGguf = { isGguf: true }
  for (const source of singleSources(given)) {
    if (source.type === 'hub' && (source.file === undefined || source.file.endsWith('.gguf')))
      return { model: source.repo, isLocal: false, revision: revisionOf(source), source: given, ...isGguf }
    if (source.type === 'wheel' && source.file.endsWith('.gguf'))
      return { model: source.file, isLocal: false, revision: undefined, source: given, ...isGguf }
    const file = source.type === 'local' ? placeOf(source, baseFolder) : ''
    if (file.endsWith('.gguf') && (await kindOf(file)) === 'file') return { ...local(file), ...isGguf }
  }
  return undefined
}

const local = (place: string) =>
  ({ model: place, isLocal: true, revision: undefined, source: { type: 'local', path: place } }) as const

const placeOf = (source: LocalSource, baseFolder: string): string =>
  path.resolve(baseFolder, expandHome(source.path, homedir()))

const revisionOf = ({ revision }: HubSource): string | undefined =>
  revision === 'main' ? undefined : revision

/** Reads config.json, and looks for weights. @throws EngineError, ContributeError, CommandError */
export async function readContributedModel(
  { name, source }: Pick<ContributedModel, 'name' | 'source'>,
  store: ModelStore,
): Promise<BlockModel> {
  const files = await store.openFiles(source)
  const config = await files.text('config.json')
  const names = config === undefined ? [] : await files.list()
  if (config === undefined)
    throw new CommandError(
      `${files.description} has no config.json: it is not a model in the format of transformers.`,
    )
  if (!names.some((file) => /^(model|pytorch_model)[\w.-]*\.(safetensors|bin)(\.index\.json)?$/.test(file)))
    throw new CommandError(
      `${files.description} has no weights that a server can load (model.safetensors or pytorch_model.bin).`,
    )
  return readBlockModel(config, name)
}

/**
 * Returns the prefix of the model's blocks in the DHT: the one of the command line or of the configuration; for a folder, the
 * one that Petals derives for a repository of the folder's name. Undefined: Petals derives it from the repository.
 */
export function prefixOf(
  { spec, isLocal, model }: ContributedModel,
  { modelType }: Pick<BlockModel, 'modelType'>,
  wish: string | undefined,
): string | undefined {
  const given = wish ?? (spec?.engine === 'petals' ? spec.dhtPrefix : undefined)
  if (given !== undefined || !isLocal) return given
  return deriveDhtPrefix(modelType, path.basename(model).replaceAll(' ', '-'))
}
