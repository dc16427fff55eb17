import type { AbortOptions, LoadProgress, ModelFiles } from '@petals-chat/engine'
import { typeInMemory, type WeightType } from '../model/weight-types.ts'
import type { TensorLoad } from '../protocol.ts'
import { tensorBytes, type BlockTensor, type FileSlice } from '../weights/block-tensors.ts'

/** A tensor with the type that it gets in memory. */
export interface PlannedTensor extends BlockTensor {
  readonly typeInMemory: number
}

export const planTensors = (tensors: readonly BlockTensor[], weights: WeightType): readonly PlannedTensor[] =>
  tensors.map((tensor) => ({
    ...tensor,
    typeInMemory: typeInMemory(tensor.name, tensor.type, tensor.shape, weights),
  }))

export const weightBytesOf = (tensors: readonly PlannedTensor[]): number =>
  tensors.reduce((sum, { typeInMemory: type, shape }) => sum + tensorBytes(type, shape), 0)

export interface FetchOptions extends AbortOptions {
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/** Tensors of a block that are this close in a file are downloaded together. */
const maxGapBytes = 2 ** 20

/** Brings the bytes of the tensors onto this machine, block by block. @throws ModelUnavailableError */
export async function fetchWeights(
  files: ModelFiles,
  tensors: readonly PlannedTensor[],
  first: number,
  { signal, onProgress }: FetchOptions,
): Promise<readonly TensorLoad[]> {
  const total = tensors.flatMap(({ ranges }) => ranges).reduce((sum, range) => sum + lengthOf(range), 0)
  let done = 0
  const loads: TensorLoad[] = []
  for (const [block, mine] of Map.groupBy(tensors, (tensor) => tensor.block)) {
    const ranges = mine.flatMap((tensor) => tensor.ranges)
    const label = `block ${block}`
    const report = (bytes: number) =>
      onProgress?.({ phase: 'download', label, done: Math.min(total, done + bytes), total, unit: 'bytes' })
    const placed = await fetchRanges(files, ranges, { signal, report })
    done += ranges.reduce((sum, range) => sum + lengthOf(range), 0)
    report(0)
    loads.push(...mine.map((tensor) => loadOf(tensor, block - first, placed)))
  }
  return loads
}

const lengthOf = ({ start, end }: FileSlice): number => end - start

/** A part of a repository's file, and where it is on this machine. */
interface PlacedRange extends FileSlice {
  readonly path: string
  readonly offset: number
}

interface RangeOptions extends AbortOptions {
  readonly report: (bytes: number) => void
}

async function fetchRanges(
  files: ModelFiles,
  ranges: readonly FileSlice[],
  { signal, report }: RangeOptions,
): Promise<readonly PlacedRange[]> {
  const placed: PlacedRange[] = []
  let before = 0
  for (const { file, start, end } of merged(ranges)) {
    const onProgress = ({ done, unit }: LoadProgress) => unit === 'bytes' && report(before + done)
    const { path, offset } = await files.rangeFile(file, start, end, { signal, onProgress })
    before += end - start
    placed.push({ file, start, end, path, offset })
  }
  return placed
}

function merged(ranges: readonly FileSlice[]): readonly FileSlice[] {
  const sorted = ranges.toSorted((a, b) => a.file.localeCompare(b.file) || a.start - b.start)
  const result: FileSlice[] = []
  for (const range of sorted) {
    const last = result.at(-1)
    if (last && last.file === range.file && range.start - last.end <= maxGapBytes)
      result[result.length - 1] = { ...last, end: Math.max(last.end, range.end) }
    else result.push(range)
  }
  return result
}

function loadOf(tensor: PlannedTensor, block: number, placed: readonly PlacedRange[]): TensorLoad {
  const pieces = tensor.ranges.map((range) => {
    const place = placed.find(
      ({ file, start, end }) => file === range.file && start <= range.start && range.end <= end,
    )!
    return { path: place.path, offset: place.offset + range.start - place.start, length: lengthOf(range) }
  })
  const { name, type, shape } = tensor
  return { block, name, storedType: type, type: tensor.typeInMemory, shape, pieces }
}
