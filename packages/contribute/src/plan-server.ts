import type { BlockSpan } from '@petals-chat/engine'
import { ContributeError } from './contribute-error.ts'
import type { Torch } from './environment/plan.ts'
import { obstacleOf, type Gpu } from './machine/gpus.ts'
import type { Machine } from './machine/machine.ts'
import type { BlockModel } from './model/block-model.ts'
import { bytesPerBlock, reservedGpuBytes, type Dtype, type Quantization } from './model/memory.ts'

/** The user's settings; absent ones are chosen for the machine. */
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
  /** Undefined on a GPU, which Petals fills. */
  readonly blocks: number | BlockSpan | undefined
  /** The expected number of blocks. */
  readonly blockCount: number
  readonly memoryBytes: number
  /** Messages about settings that work but may be unintended. */
  readonly warnings: readonly string[]
}

/** The share of free memory for blocks on a CPU: the rest is for the computation and for other programs. */
const cpuShare = 0.7

const inGigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`

/** Chooses how the machine serves a model. @throws ContributeError if it can't serve one block with the user's settings */
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
      `A block of this model needs ${inGigabytes(perBlock)} with its cache, but the ${where} has room for only ${inGigabytes(Math.max(0, memory))}. ${advice(device)}`,
    )
  }
  const blockCount = Math.min(model.blocks, asked ?? fitting)
  if (blockCount * perBlock > (gpu?.totalBytes ?? machine.freeMemoryBytes)) {
    throw new ContributeError(
      `${blockCount} blocks need ${inGigabytes(blockCount * perBlock)} with their caches, but ${fitting < 1 ? 'none' : `only about ${fitting}`} of them fit into the ${where}. ${advice(device)}`,
    )
  }
  const isMac = machine.platform === 'darwin'
  return {
    device,
    gpu,
    torch: device.startsWith('cuda') ? 'cuda' : 'cpu',
    dtype,
    quantization,
    // Petals needs a number if there is no GPU to fill.
    blocks: wishes.blocks ?? (gpu === undefined ? fitting : undefined),
    blockCount,
    memoryBytes: blockCount * perBlock,
    warnings: [
      ...warnings,
      ...(gpu !== undefined && gpu.freeBytes < blockCount * perBlock
        ? [
            `Other programs use ${inGigabytes(gpu.totalBytes - gpu.freeBytes)} of the ${gpu.name}: close them, or set --blocks N.`,
          ]
        : []),
      ...(device === 'cpu' && !isMac
        ? ['A CPU is tens of times slower than a GPU: use it for small models and for trials.']
        : []),
    ],
  }
}

const advice = (device: string): string =>
  device.startsWith('cuda')
    ? 'Store the blocks in 4 bits (--quantization nf4), hold fewer (--blocks N), or make their cache smaller (--cache-tokens N).'
    : 'Hold fewer blocks (--blocks N), use 16 bits (--dtype bfloat16), make their cache smaller (--cache-tokens N), or close other programs.'

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
    return { device: 'cpu', warnings: reasons.map((reason) => `This server uses the CPU because ${reason}.`) }
  }
  const more = others.length === 0 ? [] : [moreGpus(gpu, others)]
  return { device: `cuda:${gpu.index}`, gpu, warnings: more }
}

const moreGpus = (gpu: Gpu, others: readonly Gpu[]): string =>
  `This server uses GPU ${gpu.index}. Start another server for each other GPU: --device ${others.map(({ index }) => `cuda:${index}`).join(', ')}.`

function chooseGpu(gpus: readonly Gpu[], wish: string): DeviceChoice {
  const index = Number(wish.split(':')[1] ?? 0)
  const gpu = gpus.find((each) => each.index === index)
  if (gpu === undefined) {
    const found =
      gpus.length === 0
        ? 'nvidia-smi finds none, or CUDA_VISIBLE_DEVICES hides all'
        : `there is ${gpus.map((each) => `cuda:${each.index}`).join(', ')}`
    throw new ContributeError(
      `There is no GPU ${index} for --device ${wish}: ${found}. Install NVIDIA's driver, or use --device cpu.`,
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
    `--quantization ${wish} needs an NVIDIA GPU; this server runs on ${device}. Omit it, or use --dtype bfloat16 for half the memory of float32.`,
  )
}

function chooseDtype(device: string, wish: Dtype | undefined): Dtype {
  if (device !== 'cpu') return wish ?? 'auto'
  if (wish === 'float16')
    throw new ContributeError('A CPU does not compute in float16. Use --dtype bfloat16 or float32.')
  // CPUs without matrix units for 16 bits are several times faster in float32.
  return wish === undefined || wish === 'auto' ? 'float32' : wish
}

const countOf = (blocks: ServerWishes['blocks']): number | undefined =>
  typeof blocks === 'object' ? blocks.end - blocks.start : blocks

function checkSpan({ blocks: all }: BlockModel, blocks: ServerWishes['blocks']): void {
  if (typeof blocks !== 'object' || blocks.end <= all) return
  throw new ContributeError(
    `--blocks ${blocks.start}:${blocks.end}: this model has the blocks 0 to ${all - 1}; the last one is ${all - 1}:${all}.`,
  )
}
