import type { AbortOptions } from '@petals-chat/engine'
import type { BlockEngineInfo } from './block-engine.ts'
import { planTensors, weightBytesOf, type PlannedTensor } from './fetch-weights.ts'
import { keptNumbersOf } from './kept-numbers.ts'
import { countFitting, planMemory, sliceTokens, usableMemory } from './memory-plan.ts'
import type { BlockEngineOptions } from './options.ts'

/** Memory and cache as `startBlockEngine` takes them. */
export interface BlocksPlanOptions
  extends
    AbortOptions,
    Pick<BlockEngineOptions, 'model' | 'weights' | 'cacheType' | 'cacheTokens' | 'memoryBytes'> {
  /** Which blocks, [start, end), or how many; by default as many as fit. */
  readonly blocks?: { readonly start: number; readonly end: number } | number | undefined
}

/** What blocks need before anything of them is downloaded. All in bytes but for the counts. */
export interface BlocksPlan extends Pick<BlockEngineInfo, 'quantization' | 'dtype'> {
  readonly blocks: number
  /** How many of the model's blocks fit into the memory, with a cache of `comfortableCacheTokens` or the one that was asked for. */
  readonly fitting: number
  /** The memory that may be used. */
  readonly memoryBytes: number
  /** The memory that will be used. */
  readonly totalBytes: number
  readonly cacheTokens: number
  /** What is read from the model's files. */
  readonly fileBytes: number
}

/** Room for a few sessions: as many blocks are held as leave it. */
const comfortableCacheTokens = 8192

/**
 * Plans which share of a model this machine holds. Where the blocks are not named, the largest of the first, a middle and the
 * last one counts for all: files of mixed types keep the outer ones in more bits.
 * @throws ModelUnavailableError that says how much is missing and what helps
 */
export async function planBlocks(options: BlocksPlanOptions): Promise<BlocksPlan> {
  const { model, weights = 'as-stored', blocks, cacheType = 'f16', memoryBytes = usableMemory() } = options
  const { shape } = model
  const sample = await sampleOf(options, weights)
  const common = { shape, cacheType, sliceTokens, memoryBytes }
  const fitting = countFitting({
    ...common,
    weightBytes: sample.largest,
    cacheTokens: options.cacheTokens ?? comfortableCacheTokens,
  })
  const count =
    typeof blocks === 'object'
      ? blocks.end - blocks.start
      : Math.min(shape.blocks, blocks ?? Math.max(1, fitting))
  const weightBytes = sample.exact ?? count * sample.largest
  const plan = planMemory({ ...common, blocks: count, weightBytes, cacheTokens: options.cacheTokens })
  const { cacheTokens, totalBytes } = plan
  const fileBytes = sample.exactFile ?? count * sample.largestFile
  return {
    ...keptNumbersOf(sample.tensors),
    blocks: count,
    fitting,
    memoryBytes,
    totalBytes,
    cacheTokens,
    fileBytes,
  }
}

interface Sample {
  readonly tensors: readonly PlannedTensor[]
  /** Bytes of the largest block in memory, and in its files. */
  readonly largest: number
  readonly largestFile: number
  /** Bytes of exactly the blocks that were named. */
  readonly exact?: number
  readonly exactFile?: number
}

async function sampleOf(
  { model, blocks }: BlocksPlanOptions,
  weights: NonNullable<BlocksPlanOptions['weights']>,
): Promise<Sample> {
  const all = model.shape.blocks
  const tensors =
    typeof blocks === 'object'
      ? planTensors(await model.tensors(blocks.start, blocks.end), weights)
      : (
          await Promise.all(
            [...new Set([0, all >> 1, all - 1])].map(async (block) =>
              planTensors(await model.tensors(block, block + 1), weights),
            ),
          )
        ).flat()
  const each = [...Map.groupBy(tensors, ({ block }) => block).values()]
  const largest = Math.max(...each.map(weightBytesOf))
  const largestFile = Math.max(...each.map(fileBytesOf))
  if (typeof blocks !== 'object') return { tensors, largest, largestFile }
  return { tensors, largest, largestFile, exact: weightBytesOf(tensors), exactFile: fileBytesOf(tensors) }
}

const fileBytesOf = (tensors: readonly PlannedTensor[]): number =>
  tensors.flatMap(({ ranges }) => ranges).reduce((sum, { start, end }) => sum + end - start, 0)
