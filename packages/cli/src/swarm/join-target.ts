import { homedir } from 'node:os'
import path from 'node:path'
import type { JoinTarget } from '@petals-chat/contribute'
import {
  formatModelSource,
  singleSources,
  type ModelSource,
  type SingleSource,
  type SwarmModelStatus,
} from '@petals-chat/engine'
import { expandHome } from '@petals-chat/hub/config'
import { isPublicSwarm, type PetalsModelSpec } from '@petals-chat/petals/config'
import { repositoryOfPage } from '../config/hub-page.ts'

export interface JoinTargetOptions {
  /** Base of relative paths. */
  readonly baseFolder: string
  /** True if strangers may read the command: then only the last part of a folder of this machine is named. */
  readonly hideFolders: boolean
}

/**
 * Returns what a new server of a model needs to know. `spec` is the model's entry; undefined if there is none: then the model is
 * the one that its servers have registered.
 */
export function joinTargetOf(
  {
    dhtPrefix,
    initialPeers,
    repository,
  }: Pick<SwarmModelStatus, 'dhtPrefix' | 'initialPeers' | 'repository'>,
  spec: Pick<PetalsModelSpec, 'source' | 'dhtPrefix' | 'adapter'> | undefined,
  options: JoinTargetOptions,
): JoinTarget {
  const source = spec && firstOf(spec.source)
  // Servers derive the prefix from a repository as this program does, but not from a folder.
  const isDerived = source?.type === 'hub' && spec?.dhtPrefix === undefined
  return {
    model: spec ? source && modelOf(source, options) : repositoryOfPage(repository),
    swarm: isPublicSwarm(initialPeers) ? 'public' : initialPeers,
    ...(isDerived || dhtPrefix === '' ? {} : { dhtPrefix }),
    ...(spec?.adapter === undefined ? {} : { adapters: [spec.adapter] }),
  }
}

/** Returns the first source that a server can load: a repository or a folder. */
function firstOf(source: ModelSource): SingleSource | undefined {
  const sources = singleSources(source)
  return sources.find(({ type }) => type === 'hub') ?? sources.find(({ type }) => type === 'local')
}

function modelOf(source: SingleSource, { baseFolder, hideFolders }: JoinTargetOptions): string | undefined {
  if (source.type === 'hub')
    return source.revision === 'main'
      ? source.repo
      : formatModelSource({ ...source, file: undefined, quantization: undefined })
  if (source.type !== 'local') return undefined
  const folder = path.resolve(baseFolder, expandHome(source.path, homedir()))
  return hideFolders ? `./${path.basename(folder)}` : folder
}
