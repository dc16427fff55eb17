import {
  ModelUnavailableError,
  type LoadOptions,
  type Logger,
  type ModelFiles,
  type TokenId,
} from '@petals-chat/engine'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import type { Logits } from '../tensor/logits.ts'
import { readArchitecture, type Architecture, type NormTensors } from './architecture.ts'
import { LmHead } from './head/lm-head.ts'
import { layerNorm, rmsNorm, type Norm } from './norm.ts'
import type { TensorEntry } from './tensor-entry.ts'
import { openWeightIndex, type WeightIndex } from './weight-index.ts'
import { readVector, WeightMatrix, type StoredTensor } from './weight-matrix.ts'

export interface LocalLayersOptions extends LoadOptions {
  /** Folder for 8-bit copies of LM heads, which are kept between starts. */
  readonly folder: string
  /** Threads of the LM head, ≥ 1. */
  readonly threads: number
  readonly logger?: Logger | undefined
}

/** The layers that the client computes itself: embeddings before the blocks, final norm and LM head after them. */
export interface LocalLayers extends AsyncDisposable {
  readonly architecture: Architecture
  /** Memory of the layers. Embeddings and 16- or 32-bit weights stay in their files. */
  readonly localMemoryBytes: number
  /** Returns the input of the first block, [tokens, hidden size]. */
  embed(tokens: readonly TokenId[]): HiddenStates
  /** Returns the logits after each position, from the output of the last block. */
  logits(outputs: HiddenStates): Promise<readonly Logits[]>
  /** Returns the logits of some tokens after one position: faster than those of all, if they are few. */
  logitsOf(output: HiddenStates, tokens: Int32Array): Logits
}

/** Opens a model's local layers. Downloads only their tensors. @throws ModelUnavailableError */
export async function openLocalLayers(files: ModelFiles, options: LocalLayersOptions): Promise<LocalLayers> {
  const architecture = await readArchitecture(files, options)
  const loader = new TensorLoader(files, await openWeightIndex(files, options), options)
  const embeddingWeights = await loader.vocabularyMatrix(architecture.embedding, architecture)
  const headWeights =
    architecture.head === 'tied'
      ? embeddingWeights
      : await loader.vocabularyMatrix(architecture.head, architecture)
  const norms = {
    embedding: architecture.embeddingNorm && (await loader.norm(architecture.embeddingNorm, architecture)),
    final: await loader.norm(architecture.finalNorm, architecture),
  }
  const embedding = new WeightMatrix(embeddingWeights)
  try {
    const head = await LmHead.create(headWeights, options)
    return new LoadedLayers(architecture, embedding, norms, head)
  } catch (error) {
    embedding[Symbol.dispose]()
    throw error
  }
}

/** Finds tensors, checks that they have the shapes of config.json, and brings them to this machine. */
class TensorLoader {
  readonly #files: ModelFiles
  readonly #index: WeightIndex
  readonly #options: LocalLayersOptions

  constructor(files: ModelFiles, index: WeightIndex, options: LocalLayersOptions) {
    this.#files = files
    this.#index = index
    this.#options = options
  }

  /** Loads a tensor [vocabulary, hidden]. Leaves out the rows beyond the vocabulary with which some checkpoints are padded. */
  async vocabularyMatrix(
    names: readonly string[],
    { vocabularySize, hiddenSize }: Architecture,
  ): Promise<StoredTensor> {
    const entry = await this.#index.find(names, this.#options)
    const [rows = 0, columns] = entry.shape
    if (entry.shape.length !== 2 || rows < vocabularySize || columns !== hiddenSize) {
      throw this.#wrongShape(names, entry, [vocabularySize, hiddenSize])
    }
    const stored = await this.#load(entry)
    return { ...stored, shape: [vocabularySize, hiddenSize] }
  }

  async norm({ kind, weight, bias, epsilon }: NormTensors, { hiddenSize }: Architecture): Promise<Norm> {
    const weights = await this.#vector(weight, hiddenSize)
    if (kind === 'rms') return rmsNorm(weights, epsilon)
    const biases = bias ? await this.#vector(bias, hiddenSize) : new Float32Array(hiddenSize)
    return layerNorm(weights, biases, epsilon)
  }

  async #vector(names: readonly string[], length: number): Promise<Float32Array> {
    const entry = await this.#index.find(names, this.#options)
    if (entry.shape.length !== 1 || entry.shape[0] !== length) throw this.#wrongShape(names, entry, [length])
    return readVector(await this.#load(entry))
  }

  async #load({ file, start, end, dtype, shape }: TensorEntry): Promise<StoredTensor> {
    const { signal, onProgress } = this.#options
    return { ...(await this.#files.rangeFile(file, start, end, { signal, onProgress })), dtype, shape }
  }

  #wrongShape(names: readonly string[], entry: TensorEntry, expected: readonly number[]): Error {
    return new ModelUnavailableError(
      `${this.#files.description}: ${names[0]} in ${entry.file} has the shape [${entry.shape.join(', ')}], ` +
        `config.json says [${expected.join(', ')}]. The files do not belong together: download them again.`,
    )
  }
}

interface LocalNorms {
  readonly embedding: Norm | undefined
  readonly final: Norm
}

class LoadedLayers implements LocalLayers {
  readonly architecture: Architecture
  readonly #embedding: WeightMatrix
  readonly #norms: LocalNorms
  readonly #head: LmHead

  constructor(architecture: Architecture, embedding: WeightMatrix, norms: LocalNorms, head: LmHead) {
    this.architecture = architecture
    this.#embedding = embedding
    this.#norms = norms
    this.#head = head
  }

  get localMemoryBytes(): number {
    return this.#head.memoryBytes
  }

  embed(tokens: readonly TokenId[]): HiddenStates {
    const { hiddenSize } = this.architecture
    const data = new Float32Array(tokens.length * hiddenSize)
    tokens.forEach((token, position) => {
      const row = this.#embedding.row(token)
      data.set(this.#norms.embedding?.(row) ?? row, position * hiddenSize)
    })
    return { shape: [tokens.length, hiddenSize], data }
  }

  logits({ shape: [positions, hiddenSize], data }: HiddenStates): Promise<readonly Logits[]> {
    const inputs = Array.from({ length: positions }, (_, position) =>
      this.#norms.final(data.subarray(position * hiddenSize, (position + 1) * hiddenSize)),
    )
    return this.#head.logits(inputs)
  }

  logitsOf({ data }: HiddenStates, tokens: Int32Array): Logits {
    return this.#head.logitsOf(this.#norms.final(data), tokens)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#head[Symbol.asyncDispose]()
    this.#embedding[Symbol.dispose]()
  }
}
