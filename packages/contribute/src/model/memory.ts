import type { BlockModel } from './block-model.ts'

export type Quantization = 'none' | 'int8' | 'nf4'
export type Dtype = 'auto' | 'float32' | 'float16' | 'bfloat16'

export interface MemoryOptions {
  readonly dtype: Exclude<Dtype, 'auto'>
  readonly quantization: Quantization
  /** KV cache of each block in tokens; by default Petals' own value. */
  readonly cacheTokens?: number | undefined
}

const bytesOf = { float32: 4, float16: 2, bfloat16: 2 } as const
/** `petals/server/block_utils.py`: 4.25 bits per weight for NF4, and about 1 % for tables. */
const quantizedBytes = { int8: 1, nf4: 4.25 / 8 } as const

/** The default of Petals' `--attn_cache_tokens`. */
export const defaultCacheTokens = ({ keyValueGroups }: BlockModel): number =>
  keyValueGroups > 1 ? 16_384 : 4096

/** Returns the memory of one block with its KV cache, as Petals counts it. */
export function bytesPerBlock(model: BlockModel, options: MemoryOptions): number {
  const { dtype, quantization, cacheTokens = defaultCacheTokens(model) } = options
  const perWeight = quantization === 'none' ? bytesOf[dtype] : quantizedBytes[quantization]
  const cacheValues = (2 * model.hiddenSize * cacheTokens) / model.keyValueGroups
  return model.parametersPerBlock * perWeight * 1.01 + cacheValues * bytesOf[dtype]
}

/** Returns the GPU memory that Petals reserves besides the blocks, for training through them. */
export const reservedGpuBytes = ({ hiddenSize }: BlockModel): number => (2 * 1024 ** 3 * hiddenSize) / 14_336

/** Returns the disk space of the files of these blocks. */
export const diskBytes = (
  model: Pick<BlockModel, 'parametersPerBlock' | 'fileBytesPerWeight'>,
  blocks: number,
): number => model.parametersPerBlock * model.fileBytesPerWeight * blocks
