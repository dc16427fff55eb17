import os from 'node:os'
import { ModelUnavailableError } from '@petals-chat/engine'
import { kvSize, type BlockShape } from '../model/block-shape.ts'
import { cellStep } from '../model/cells.ts'

export interface MemoryRequest {
  readonly shape: BlockShape
  readonly blocks: number
  readonly weightBytes: number
  readonly cacheType: 'f16' | 'f32'
  /** Undefined for what fits. */
  readonly cacheTokens: number | undefined
  readonly sliceTokens: number
  readonly memoryBytes: number
}

/** All in bytes, but for the tokens. */
export interface MemoryPlan {
  readonly cacheTokens: number
  readonly cacheBytes: number
  readonly computeBytes: number
  /** Weights, cache, computation and the process itself. */
  readonly totalBytes: number
}

/** Tokens of a long pass that are computed at once. */
export const sliceTokens = 512
/** Enough for some sessions; a server with less than the least one would turn away most clients. */
const usualCacheTokens = 16_384
const leastCacheTokens = 512
/** What the process itself takes: Node and llama.cpp's code. */
const processBytes = 64 * 2 ** 20

/**
 * Plans the memory of an engine before anything is downloaded or loaded.
 * @throws ModelUnavailableError that says how much is missing and what helps
 */
export function planMemory(request: MemoryRequest): MemoryPlan {
  const { shape, blocks, weightBytes, cacheType, memoryBytes } = request
  const computeBytes = computeBytesOf(shape, request.sliceTokens)
  const tokenBytes = blocks * 2 * kvSize(shape) * (cacheType === 'f32' ? 4 : 2)
  const room = memoryBytes - weightBytes - computeBytes - processBytes
  const fitting = Math.floor(room / tokenBytes / cellStep) * cellStep
  const wanted = request.cacheTokens ?? Math.max(leastCacheTokens, Math.min(usualCacheTokens, fitting))
  const cacheTokens = Math.ceil(wanted / cellStep) * cellStep
  if (cacheTokens > fitting) {
    const needed = memoryBytes - room + cacheTokens * tokenBytes
    throw new ModelUnavailableError(
      `${blocks} blocks with a KV cache of ${cacheTokens} tokens need ${mebibytes(needed)} of memory, and ` +
        `${mebibytes(memoryBytes)} may be used. Serve fewer blocks, quantize the weights (q8_0, q4_k), or make the cache smaller.`,
    )
  }
  const cacheBytes = cacheTokens * tokenBytes
  return { cacheTokens, cacheBytes, computeBytes, totalBytes: memoryBytes - room + cacheBytes }
}

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`

/** An upper bound of what lies between the input and the output of a slice: about what a block holds at once. */
function computeBytesOf(shape: BlockShape, sliceTokens: number): number {
  const { hiddenSize, heads, headSize, feedForwardSize, experts } = shape
  const perToken = 6 * hiddenSize + 3 * heads * headSize + 3 * feedForwardSize * (experts?.used ?? 1)
  const mask = shape.contextLength * 2
  return sliceTokens * (perToken * 4 + mask)
}

/** Returns how many blocks fit whose weights take as much as these each, with a KV cache of that many tokens; 0 if none does. */
export function countFitting(
  request: Omit<MemoryRequest, 'blocks'> & { readonly cacheTokens: number },
): number {
  const { shape, weightBytes, cacheTokens, memoryBytes } = request
  const cells = Math.ceil(cacheTokens / cellStep) * cellStep
  const perBlock = weightBytes + cells * 2 * kvSize(shape) * (request.cacheType === 'f32' ? 4 : 2)
  const room = memoryBytes - computeBytesOf(shape, request.sliceTokens) - processBytes
  return Math.max(0, Math.min(shape.blocks, Math.floor(room / perBlock)))
}

/** Returns the bytes that may be used where the user sets no limit. */
export function usableMemory(): number {
  // macOS counts only memory that is entirely unused, which is always little.
  const free = process.platform === 'darwin' ? os.totalmem() * 0.75 : process.availableMemory()
  return Math.floor(free * 0.9)
}
