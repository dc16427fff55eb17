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

export interface JoinTargetOptions {
  /** What relative paths are relative to. */
  readonly baseFolder: string
  /** Whether strangers may read the command: then folders of this machine are named by their last part only. */
  readonly hideFolders: boolean
}

/** What a new server of a model is told; `spec` is the model's entry, undefined if the configuration has none. */
export function joinTargetOf(
  { dhtPrefix, initialPeers }: Pick<SwarmModelStatus, 'dhtPrefix' | 'initialPeers'>,
  spec: Pick<PetalsModelSpec, 'source' | 'dhtPrefix' | 'adapter'> | undefined,
  options: JoinTargetOptions,
): JoinTarget {
  const source = spec && firstOf(spec.source)
  // Servers derive the prefix from a repository as this program does, but not from a folder.
  const isDerived = source?.type === 'hub' && spec?.dhtPrefix === undefined
  return {
    model: source && modelOf(source, options),
    swarm: isPublicSwarm(initialPeers) ? 'public' : initialPeers,
    ...(isDerived || dhtPrefix === '' ? {} : { dhtPrefix }),
    ...(spec?.adapter === undefined ? {} : { adapters: [spec.adapter] }),
  }
}

/** Servers load the weights of a repository or a folder: the first of several sources that is one. */
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
