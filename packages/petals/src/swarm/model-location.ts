import {
  formatModelSource,
  ModelUnavailableError,
  singleSources,
  type ModelSource,
} from '@petals-chat/engine'
import type { PetalsModelSpec } from '../config.ts'
import type { Architecture, ModelType } from '../layers/architecture.ts'
import { deriveDhtPrefix } from './dht-prefix.ts'

/** How a swarm knows a model. */
export interface ModelLocation {
  /** Prefix of the names of the model's blocks in the DHT. */
  readonly dhtPrefix: string
  /** Transformer blocks of the model. */
  readonly numBlocks: number
  /** LoRA adapter that servers must have loaded. */
  readonly adapter?: string | undefined
}

/** The keys of a model's entry that tell its location. */
export type LocatableSpec = Pick<PetalsModelSpec, 'id' | 'source' | 'dhtPrefix' | 'adapter'>

/** Returns the location of a model. @throws ModelUnavailableError if its prefix in the DHT is unknown */
export function locationOf(
  spec: LocatableSpec,
  { modelType, blocks }: Pick<Architecture, 'modelType' | 'blocks'>,
): ModelLocation {
  const dhtPrefix = findDhtPrefix(spec, modelType)
  if (dhtPrefix !== undefined) return { dhtPrefix, numBlocks: blocks, adapter: spec.adapter }
  throw new ModelUnavailableError(
    `The name of the model '${spec.id}' in the swarm is not known: it can't be derived from the local folder ${formatModelSource(spec.source)}. ` +
      "Give its dhtPrefix (--dht-prefix), as its servers were given --dht_prefix; 'petals-chat swarm status' lists what a swarm serves.",
  )
}

/** Returns the configured prefix, or the one that Petals derives from the repository; undefined if there is neither. */
export function findDhtPrefix(
  { dhtPrefix, source }: Pick<LocatableSpec, 'dhtPrefix' | 'source'>,
  modelType: ModelType,
): string | undefined {
  if (dhtPrefix !== undefined) return dhtPrefix
  const repository = repositoryOf(source)
  return repository === undefined ? undefined : deriveDhtPrefix(modelType, repository)
}

/** Returns `owner/repo` of the first source that is a repository of the Hub; undefined if there is none. */
export const repositoryOf = (source: ModelSource): string | undefined =>
  singleSources(source).find((single) => single.type === 'hub')?.repo
