import type { AbortOptions, ModelFiles } from '@petals-chat/engine'
import { readArchitecture, type Architecture } from './layers/architecture.ts'
import { layoutOf } from './layers/head/quantized-matrix.ts'
import { findDhtPrefix, type LocatableSpec } from './model-location.ts'

/** What a model's config.json says of its part in a swarm. */
export interface SwarmModelInfo extends Pick<
  Architecture,
  'modelType' | 'blocks' | 'hiddenSize' | 'vocabularySize' | 'contextLength'
> {
  /** Undefined if it can't be derived: then the configuration has to say it. */
  readonly dhtPrefix: string | undefined
  /** Memory of the LM head, which runs here in 8 bits. Embeddings and original weights stay in their files. */
  readonly memoryBytes: number
}

/** Reads no more than config.json. @throws ModelUnavailableError */
export async function readSwarmModelInfo(
  spec: Pick<LocatableSpec, 'source' | 'dhtPrefix'>,
  files: ModelFiles,
  options?: AbortOptions,
): Promise<SwarmModelInfo> {
  const { modelType, blocks, hiddenSize, vocabularySize, contextLength } = await readArchitecture(
    files,
    options,
  )
  return {
    modelType,
    blocks,
    hiddenSize,
    vocabularySize,
    contextLength,
    dhtPrefix: findDhtPrefix(spec, modelType),
    memoryBytes: layoutOf(vocabularySize, hiddenSize).byteLength,
  }
}
