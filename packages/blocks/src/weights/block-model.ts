import { ModelUnavailableError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'
import { readJsonFile } from '@petals-chat/petals/weights'
import type { BlockShape } from '../model/block-shape.ts'
import { shapeOfConfig } from '../model/config-shape.ts'
import { shapeOfGguf } from '../model/gguf-shape.ts'
import { findBlockTensors, type BlockTensor, type TensorStore } from './block-tensors.ts'
import { openGgufStore } from './gguf-store.ts'
import { openHuggingFaceStore } from './hugging-face-store.ts'

/** A model whose blocks can be loaded. Opening it reads headers only. */
export interface BlockModel {
  readonly shape: BlockShape
  readonly files: ModelFiles
  /** Finds the tensors of the blocks [start, end). @throws ModelUnavailableError if one is missing */
  tensors(start: number, end: number): Promise<readonly BlockTensor[]>
}

export interface OpenBlockModelOptions extends AbortOptions {
  /** The GGUF file of the repository; by default its weights in a format of transformers, or its only GGUF file. */
  readonly file?: string | undefined
}

/** Opens a model in a format of transformers or as GGUF. @throws ModelUnavailableError */
export async function openBlockModel(
  files: ModelFiles,
  { file, ...options }: OpenBlockModelOptions = {},
): Promise<BlockModel> {
  const gguf = file ?? (await findGguf(files, options))
  const opened =
    gguf === undefined ? await openRepository(files, options) : await openGguf(files, gguf, options)
  return { ...opened, files, tensors: (start, end) => findTensors(opened, start, end) }
}

interface Opened {
  readonly shape: BlockShape
  readonly store: TensorStore
}

async function openRepository(files: ModelFiles, options: AbortOptions): Promise<Opened> {
  const config = await readJsonFile(files, 'config.json', options)
  if (config === undefined)
    throw new ModelUnavailableError(`${files.description} has neither a config.json nor one GGUF file.`)
  const shape = usable(`config.json of ${files.description}`, () => shapeOfConfig(config))
  return { shape, store: await openHuggingFaceStore(files, options) }
}

async function openGguf(files: ModelFiles, name: string, options: AbortOptions): Promise<Opened> {
  const store = await openGgufStore(files, name, options)
  const factors = await store.lookUp('rope_freqs.weight')
  const bytes = factors && (await files.range(factors.file, factors.start, factors.end, options))
  const values = bytes && [...new Float32Array(bytes.slice().buffer)]
  return { shape: usable(store.description, () => shapeOfGguf(store.metadata, values)), store }
}

/** @returns undefined if the repository has weights of transformers or no GGUF file */
async function findGguf(files: ModelFiles, options: AbortOptions): Promise<string | undefined> {
  const names = await files.list(options)
  if (names.includes('config.json') && names.some((name) => /\.(safetensors|bin)$/.test(name)))
    return undefined
  const found = names.filter((name) => /\.gguf$/.test(name) && !/-(?!00001)\d{5}-of-\d{5}\.gguf$/.test(name))
  if (found.length <= 1) return found[0]
  throw new ModelUnavailableError(
    `${files.description} has ${found.length} GGUF files (${found.slice(0, 5).join(', ')} …). Name the one to use.`,
  )
}

function usable<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ModelUnavailableError(`${what} can't be used: ${why}.`, { cause })
  }
}

async function findTensors(
  { shape, store }: Opened,
  start: number,
  end: number,
): Promise<readonly BlockTensor[]> {
  if (!(start >= 0 && start < end && end <= shape.blocks))
    throw new ModelUnavailableError(
      `${store.description} has the blocks 0 to ${shape.blocks - 1}; ${start}:${end} is not a part of them.`,
    )
  const found: BlockTensor[] = []
  for (let block = start; block < end; block++) found.push(...(await findBlockTensors(store, shape, block)))
  return found
}
