import { Backend, DeviceTensors, type Ggml, type Tensor } from '@petals-chat/ggml/native'
import type { LoadedBlock, LoadedBlocks } from '../graph/step-graph.ts'
import { kvSize } from '../model/block-shape.ts'
import { ggmlTypes } from '@petals-chat/ggml'
import type { LoadCommand } from '../protocol.ts'
import { loadWeights } from './load-weights.ts'

/** Blocks in memory, ready to compute. */
export interface OpenedBlocks {
  readonly backend: Backend
  readonly loaded: LoadedBlocks
  readonly weightBytes: number
  readonly cacheBytes: number
}

/** Larger memory than this is never recycled by malloc (mallopt, M_MMAP_THRESHOLD: at most 32 MiB). */
const recycledBytes = 64 * 2 ** 20

type LoadRequest = Pick<LoadCommand, 'shape' | 'blocks' | 'tensors' | 'settings'>

/** Loads weights, and reserves the KV cache. @throws Error if there is too little memory or a file can't be read */
export async function openBlocks(
  ggml: Ggml,
  { shape, blocks, tensors: loads, settings }: LoadRequest,
  onProgress: (fraction: number) => void = () => {},
): Promise<OpenedBlocks> {
  const backend = new Backend(ggml, settings.device)
  const factors = shape.rope?.factors
  const factorSpecs = factors ? [{ type: ggmlTypes.f32, shape: [factors.length] }] : []
  const weights = new DeviceTensors(backend, [...loads, ...factorSpecs])
  const ropeFactors = factors && weights.tensors.at(-1)!
  if (factors) ggml.backend_tensor_set(ropeFactors!, Float32Array.from(factors), 0, factors.length * 4)
  await loadWeights(backend, loads, weights.tensors, onProgress)

  const cacheType = ggmlTypes[settings.cacheType]
  const cells = { type: cacheType, shape: [kvSize(shape), settings.cacheTokens] }
  const cache = new DeviceTensors(
    backend,
    Array.from({ length: 2 * blocks }, () => cells),
  )
  // Cells that are masked must not hold NaN. Large memory comes from the system as zeros, which take no room until they are used.
  if (settings.device !== 'cpu' || cache.bytes < recycledBytes) cache.clear()
  const loaded = {
    shape,
    blocks: Array.from({ length: blocks }, (_, block): LoadedBlock => ({
      weights: weightsOf(block, loads, weights.tensors),
      keys: cache.tensors[2 * block]!,
      values: cache.tensors[2 * block + 1]!,
    })),
    ropeFactors,
    cacheElementBytes: settings.cacheType === 'f32' ? 4 : 2,
  }
  return { backend, loaded, weightBytes: weights.bytes, cacheBytes: cache.bytes }
}

function weightsOf(
  block: number,
  loads: LoadCommand['tensors'],
  tensors: readonly Tensor[],
): ReadonlyMap<string, Tensor> {
  const mine = loads.map((load, index) => [load, tensors[index]!] as const)
  return new Map(mine.filter(([load]) => load.block === block).map(([load, tensor]) => [load.name, tensor]))
}
