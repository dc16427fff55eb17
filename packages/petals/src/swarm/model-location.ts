import { ModelUnavailableError, type ModelSpec } from '@petals-chat/engine'
import { deriveDhtPrefix, type ModelType } from '../blocks/dht-prefix.ts'
import type { Architecture } from '../layers/architecture.ts'

/** Where a model is in a swarm. */
export interface ModelLocation {
  readonly dhtPrefix: string
  /** Transformer blocks of the model. */
  readonly numBlocks: number
  /** LoRA adapter that servers must have loaded. */
  readonly adapter?: string | undefined
}

/** What of a model's entry says where it is. */
export type LocatableSpec = Pick<ModelSpec, 'id' | 'source' | 'dhtPrefix' | 'adapter'>

/** @throws ModelUnavailableError if it is not known what the swarm calls the model */
export function locationOf(
  spec: LocatableSpec,
  { modelType, blocks }: Pick<Architecture, 'modelType' | 'blocks'>,
): ModelLocation {
  const dhtPrefix = findDhtPrefix(spec, modelType)
  if (dhtPrefix !== undefined) return { dhtPrefix, numBlocks: blocks, adapter: spec.adapter }
  throw new ModelUnavailableError(
    `The name of the model '${spec.id}' in the swarm is not known: it can't be derived from the local folder ${spec.source}. ` +
      "Give its dhtPrefix (--dht-prefix), as its servers were given --dht_prefix; 'petals-chat swarm status' lists what a swarm serves.",
  )
}

/** As configured, else by Petals' rules for the names of repositories; undefined if neither gives one. */
export function findDhtPrefix(
  { dhtPrefix, source }: Pick<LocatableSpec, 'dhtPrefix' | 'source'>,
  modelType: ModelType,
): string | undefined {
  if (dhtPrefix !== undefined) return dhtPrefix
  const repository = repositoryOf(source)
  return repository === undefined ? undefined : deriveDhtPrefix(modelType, repository)
}

/** `owner/repo` of the first source that is a repository of the Hub; undefined if there is none. */
export const repositoryOf = (source: string): string | undefined =>
  /(?:^|\|\|)\s*hf:([\w.-]+\/[\w.-]+)/.exec(source)?.[1]
