import { EngineError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'
import { readArchitecture, type Architecture } from '../layers/architecture.ts'
import { layoutOf } from '../layers/head/quantized-matrix.ts'
import { downloadBytesOf, findLocalTensors } from '../layers/local-tensors.ts'
import { findDhtPrefix, type LocatableSpec } from '../swarm/model-location.ts'

/** What a model's files tell about running it in a swarm. */
export interface SwarmModelInfo extends Pick<
  Architecture,
  'modelType' | 'blocks' | 'hiddenSize' | 'vocabularySize' | 'contextLength'
> {
  /** Undefined if it can't be derived: then the user must configure it. */
  readonly dhtPrefix: string | undefined
  /** Memory of the 8-bit LM head in this process; its copy on the disk has the same size. Embeddings stay in their files. */
  readonly memoryBytes: number
  /** Bytes of weights that this machine downloads; undefined if their files can't be read now. */
  readonly downloadBytes: number | undefined
}

/** Reads config.json and the headers of the weights' files. @throws ModelUnavailableError without config.json */
export async function readSwarmModelInfo(
  spec: Pick<LocatableSpec, 'source' | 'dhtPrefix'>,
  files: ModelFiles,
  options?: AbortOptions,
): Promise<SwarmModelInfo> {
  const architecture = await readArchitecture(files, options)
  const { modelType, blocks, hiddenSize, vocabularySize, contextLength } = architecture
  const tensors = await findLocalTensors(files, architecture, options).catch((error: unknown) => {
    options?.signal?.throwIfAborted()
    if (error instanceof EngineError) return undefined
    throw error
  })
  return {
    modelType,
    blocks,
    hiddenSize,
    vocabularySize,
    contextLength,
    dhtPrefix: findDhtPrefix(spec, modelType),
    memoryBytes: layoutOf(vocabularySize, hiddenSize).byteLength,
    downloadBytes: tensors && downloadBytesOf(tensors),
  }
}
