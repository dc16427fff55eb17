import type { BlockSpan } from '@petals-chat/engine'
import { ContributeError } from './contribute-error.ts'
import type { Torch } from './environment/plan.ts'
import { obstacleOf, type Gpu } from './machine/gpus.ts'
import type { Machine } from './machine/machine.ts'
import type { BlockModel } from './model/block-model.ts'
import { bytesPerBlock, reservedGpuBytes, type Dtype, type Quantization } from './model/memory.ts'

/** What the user asked for; what is left out follows from the machine. */
export interface ServerWishes {
  readonly device?: string | undefined
  readonly blocks?: number | BlockSpan | undefined
  readonly dtype?: Dtype | undefined
  readonly quantization?: Quantization | undefined
  readonly cacheTokens?: number | undefined
}

/** How a machine serves a model. */
export interface ServerPlan {
  readonly device: string
  readonly gpu: Gpu | undefined
  readonly torch: Torch
  readonly dtype: Dtype
  readonly quantization: Quantization
  /** Left out on a GPU: Petals fills it. */
  readonly blocks: number | BlockSpan | undefined
  /** How many blocks that will be, as far as can be said beforehand. */
  readonly blockCount: number
  readonly memoryBytes: number
  /** What works, but may not be meant. */
  readonly warnings: readonly string[]
}

/** Free memory that blocks may take on a CPU: the rest is for the computation and for other programs. */
const cpuShare = 0.7

const inGigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`

/** Chooses what the machine can do. @throws ContributeError if it can't serve a block of the model as wished */
export function planServer(model: BlockModel, machine: Machine, wishes: ServerWishes): ServerPlan {
  const { device, gpu, warnings } = chooseDevice(machine, wishes.device)
  const quantization = chooseQuantization(device, wishes.quantization)
  const dtype = chooseDtype(device, wishes.dtype)
  const perBlock = bytesPerBlock(model, {
    dtype: dtype === 'auto' ? 'bfloat16' : dtype,
    quantization,
    cacheTokens: wishes.cacheTokens,
  })
  checkSpan(model, wishes.blocks)
  const asked = countOf(wishes.blocks)
  const memory =
    gpu === undefined ? machine.freeMemoryBytes * cpuShare : gpu.totalBytes - reservedGpuBytes(model)
  const fitting = Math.min(model.blocks, Math.floor(memory / perBlock))
  const where = gpu === undefined ? 'free memory' : `memory of the ${gpu.name}`
  if (asked === undefined && fitting < 1) {
    throw new ContributeError(
      `A block of this model takes ${inGigabytes(perBlock)} with its cache, and the ${where} has room for ${inGigabytes(Math.max(0, memory))}. ${advice(device)}`,
    )
  }
  const blockCount = Math.min(model.blocks, asked ?? fitting)
  if (blockCount * perBlock > (gpu?.totalBytes ?? machine.freeMemoryBytes)) {
    throw new ContributeError(
      `${blockCount} blocks take ${inGigabytes(blockCount * perBlock)} with their caches; ${fitting < 1 ? 'not one' : `about ${fitting}`} of them fit into the ${where}. ${advice(device)}`,
    )
  }
  const isMac = machine.platform === 'darwin'
  return {
    device,
    gpu,
    torch: device.startsWith('cuda') ? 'cuda' : 'cpu',
    dtype,
    quantization,
    // Petals asks for a number where there is no GPU to fill.
    blocks: wishes.blocks ?? (gpu === undefined ? fitting : undefined),
    blockCount,
    memoryBytes: blockCount * perBlock,
    warnings: [
      ...warnings,
      ...(gpu !== undefined && gpu.freeBytes < blockCount * perBlock
        ? [
            `Other programs hold ${inGigabytes(gpu.totalBytes - gpu.freeBytes)} of the ${gpu.name}: end them, or give --blocks N.`,
          ]
        : []),
      ...(device === 'cpu' && !isMac
        ? [
            'A CPU answers some tens of times more slowly than a GPU: right for small models and for trying it out.',
          ]
        : []),
    ],
  }
}

const advice = (device: string): string =>
  device.startsWith('cuda')
    ? 'Store them in 4 bits (--quantization nf4), hold fewer (--blocks N), or give less to the cache (--cache-tokens N).'
    : 'Hold fewer (--blocks N), take 16 bits (--dtype bfloat16), give less to the cache (--cache-tokens N), or close other programs.'

interface DeviceChoice {
  readonly device: string
  readonly gpu?: Gpu
  readonly warnings: readonly string[]
}

function chooseDevice({ gpus, platform, arch }: Machine, wish: string | undefined): DeviceChoice {
  if (wish !== undefined && !/^(cpu|mps|cuda(:\d+)?)$/.test(wish))
    throw new ContributeError(
      `--device takes cpu, cuda, cuda:1 (a number of nvidia-smi, or a place in CUDA_VISIBLE_DEVICES) or mps, not '${wish}'.`,
    )
  if (wish === 'cpu') return { device: 'cpu', warnings: [] }
  if (wish === 'mps' || (wish === undefined && platform === 'darwin' && arch === 'arm64')) {
    if (platform !== 'darwin') throw new ContributeError('--device mps is for a Mac with Apple silicon.')
    return { device: 'mps', warnings: [] }
  }
  if (wish !== undefined) return chooseGpu(gpus, wish)
  const [gpu, ...others] = gpus.filter((each) => obstacleOf(each) === undefined)
  if (gpu === undefined) {
    const reasons = gpus.map(obstacleOf).filter((reason) => reason !== undefined)
    return { device: 'cpu', warnings: reasons.map((reason) => `The CPU serves: ${reason}.`) }
  }
  const more = others.length === 0 ? [] : [moreGpus(gpu, others)]
  return { device: `cuda:${gpu.index}`, gpu, warnings: more }
}

const moreGpus = (gpu: Gpu, others: readonly Gpu[]): string =>
  `This server takes GPU ${gpu.index}. Start one more for each other: --device ${others.map(({ index }) => `cuda:${index}`).join(', ')}.`

function chooseGpu(gpus: readonly Gpu[], wish: string): DeviceChoice {
  const index = Number(wish.split(':')[1] ?? 0)
  const gpu = gpus.find((each) => each.index === index)
  if (gpu === undefined) {
    const found =
      gpus.length === 0
        ? 'nvidia-smi finds none, or CUDA_VISIBLE_DEVICES hides all'
        : `there is ${gpus.map((each) => `cuda:${each.index}`).join(', ')}`
    throw new ContributeError(
      `There is no GPU ${index} for --device ${wish}: ${found}. Install NVIDIA's driver, or take --device cpu.`,
    )
  }
  const obstacle = obstacleOf(gpu)
  if (obstacle !== undefined) throw new ContributeError(`--device ${wish} can't be used: ${obstacle}.`)
  return { device: `cuda:${index}`, gpu, warnings: [] }
}

function chooseQuantization(device: string, wish: Quantization | undefined): Quantization {
  if (device.startsWith('cuda')) return wish ?? 'nf4'
  if (wish === undefined || wish === 'none') return 'none'
  throw new ContributeError(
    `--quantization ${wish} needs an NVIDIA GPU; this server runs on ${device}. Leave it out, or take --dtype bfloat16 for half the memory of float32.`,
  )
}

function chooseDtype(device: string, wish: Dtype | undefined): Dtype {
  if (device !== 'cpu') return wish ?? 'auto'
  if (wish === 'float16')
    throw new ContributeError('A CPU does not compute in float16. Take --dtype bfloat16 or float32.')
  // CPUs without matrix units for 16 bits are several times faster in 32.
  return wish === undefined || wish === 'auto' ? 'float32' : wish
}

const countOf = (blocks: ServerWishes['blocks']): number | undefined =>
  typeof blocks === 'object' ? blocks.end - blocks.start : blocks

function checkSpan({ blocks: all }: BlockModel, blocks: ServerWishes['blocks']): void {
  if (typeof blocks !== 'object' || blocks.end <= all) return
  throw new ContributeError(
    `--blocks ${blocks.start}:${blocks.end}: this model has ${all} blocks, 0 to ${all - 1}; the last one is written ${all - 1}:${all}.`,
  )
}
