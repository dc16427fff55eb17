import {
  ModelUnavailableError,
  type FileOptions,
  type LoadOptions,
  type ModelFiles,
  type TokenId,
} from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'
import { readArchitecture, type Architecture, type NormTensors } from './architecture.ts'
import { LmHead } from './lm-head.ts'
import { digestOf, localTensor } from './local-tensors.ts'
import { layerNorm, rmsNorm, type Norm } from './norm.ts'
import { openWeightIndex, type TensorEntry, type WeightIndex } from './safetensors.ts'
import { readVector, WeightMatrix } from './weight-matrix.ts'

export interface LocalLayersOptions extends LoadOptions {
  /** Where 8-bit heads are kept. */
  readonly folder: string
  /** Threads of the LM head, ≥ 1. */
  readonly threads: number
}

/** The layers that the client computes itself: embeddings before the blocks, final norm and LM head after them. */
export interface LocalLayers extends AsyncDisposable {
  readonly architecture: Architecture
  /** Input of the first block, [tokens.length, hiddenSize] in C order. */
  embed(tokens: readonly TokenId[]): Float32Array
  /** Logits after these positions' last block output; `outputs` is [positions, hiddenSize]. */
  logits(outputs: Float32Array): Promise<readonly Logits[]>
}

/** Opens a model's local layers, fetching just their tensors. @throws ModelUnavailableError */
export async function openLocalLayers(files: ModelFiles, options: LocalLayersOptions): Promise<LocalLayers> {
  const architecture = await readArchitecture(files, options)
  const index = await openWeightIndex(files, options)
  const loader = new TensorLoader(files, index, options)
  const embeddingEntry = await index.find(architecture.embedding, options)
  const headEntry =
    architecture.head === 'tied' ? embeddingEntry : await index.find(architecture.head, options)
  for (const entry of [embeddingEntry, headEntry]) checkShape(files, entry, architecture)

  const embedding = new WeightMatrix(await loader.load(embeddingEntry))
  const embeddingNorm = architecture.embeddingNorm && (await loader.norm(architecture.embeddingNorm))
  const finalNorm = await loader.norm(architecture.finalNorm)
  options.onProgress?.({ phase: 'load', label: 'language model head', done: 0, total: 100, unit: 'percent' })
  const head = await LmHead.create(new WeightMatrix(await loader.load(headEntry)), {
    folder: options.folder,
    key: digestOf(files, headEntry),
    threads: options.threads,
  })
  options.onProgress?.({
    phase: 'load',
    label: 'language model head',
    done: 100,
    total: 100,
    unit: 'percent',
  })
  return new LoadedLayers(architecture, embedding, embeddingNorm, finalNorm, head)
}

function checkShape(
  files: ModelFiles,
  entry: TensorEntry,
  { hiddenSize, vocabularySize }: Architecture,
): void {
  const [rows, columns] = entry.shape
  // Some checkpoints pad the vocabulary; fewer rows than tokens can't be right.
  if (entry.shape.length === 2 && columns === hiddenSize && rows !== undefined && rows >= vocabularySize)
    return
  throw new ModelUnavailableError(
    `${files.description}: a tensor in ${entry.file} has the shape [${entry.shape.join(', ')}], ` +
      `config.json says [${vocabularySize}, ${hiddenSize}]. The files do not belong together.`,
  )
}

class TensorLoader {
  readonly #files: ModelFiles
  readonly #index: WeightIndex
  readonly #options: LocalLayersOptions

  constructor(files: ModelFiles, index: WeightIndex, options: LocalLayersOptions) {
    this.#files = files
    this.#index = index
    this.#options = options
  }

  load(entry: TensorEntry) {
    const { signal, onProgress } = this.#options
    const fileOptions: FileOptions = { signal, onProgress }
    return localTensor(this.#files, entry, fileOptions)
  }

  async norm({ kind, weight, bias, epsilon }: NormTensors): Promise<Norm> {
    const weights = await this.#vector(weight)
    if (kind === 'rms') return rmsNorm(weights, epsilon)
    return layerNorm(weights, bias ? await this.#vector(bias) : new Float32Array(weights.length), epsilon)
  }

  async #vector(names: readonly string[]): Promise<Float32Array> {
    return readVector(await this.load(await this.#index.find(names, this.#options)))
  }
}

class LoadedLayers implements LocalLayers {
  readonly architecture: Architecture
  readonly #embedding: WeightMatrix
  readonly #embeddingNorm: Norm | undefined
  readonly #finalNorm: Norm
  readonly #head: LmHead

  constructor(
    architecture: Architecture,
    embedding: WeightMatrix,
    embeddingNorm: Norm | undefined,
    finalNorm: Norm,
    head: LmHead,
  ) {
    this.architecture = architecture
    this.#embedding = embedding
    this.#embeddingNorm = embeddingNorm
    this.#finalNorm = finalNorm
    this.#head = head
  }

  embed(tokens: readonly TokenId[]): Float32Array {
    const { hiddenSize } = this.architecture
    const states = new Float32Array(tokens.length * hiddenSize)
    tokens.forEach((token, position) => {
      const row = this.#embedding.row(token)
      states.set(this.#embeddingNorm ? this.#embeddingNorm(row) : row, position * hiddenSize)
    })
    return states
  }

  logits(outputs: Float32Array): Promise<readonly Logits[]> {
    const { hiddenSize } = this.architecture
    const positions = outputs.length / hiddenSize
    const inputs = Array.from({ length: positions }, (_, i) =>
      this.#finalNorm(outputs.subarray(i * hiddenSize, (i + 1) * hiddenSize)),
    )
    return this.#head.logits(inputs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#embedding[Symbol.dispose]()
    await this.#head[Symbol.asyncDispose]()
  }
}
