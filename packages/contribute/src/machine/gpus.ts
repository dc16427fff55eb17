import { execFile } from 'node:child_process'
import { childEnvironment } from '@petals-chat/engine'

/** An NVIDIA GPU, as `nvidia-smi` describes it. */
export interface Gpu {
  /** Its number in `cuda:N` of PyTorch. */
  readonly index: number
  readonly name: string
  readonly totalBytes: number
  readonly freeBytes: number
  readonly driver: string
  /** For example 8.6; undefined where the driver does not say. */
  readonly computeCapability: number | undefined
  /** `GPU-…`; empty where the driver does not say. */
  readonly uuid: string
}

const fields = ['index', 'name', 'memory.total', 'memory.free', 'driver_version', 'compute_cap', 'uuid']
const mebibyte = 1024 ** 2

/** Returns the NVIDIA GPUs of this machine; none without a driver. */
export function findGpus(command = 'nvidia-smi'): Promise<readonly Gpu[]> {
  const args = [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits']
  return new Promise((resolve) =>
    execFile(command, args, { timeout: 20_000, env: childEnvironment() }, (error, stdout) =>
      resolve(error ? [] : parseGpus(stdout)),
    ),
  )
}

/** Reads what `nvidia-smi` prints. The GPUs are in the order of their PCI bus. */
export function parseGpus(text: string): readonly Gpu[] {
  return text
    .split('\n')
    .map((line) => line.split(',').map((cell) => cell.trim()))
    .filter((cells) => cells.length >= 5 && /^\d+$/.test(cells[0]!))
    .map(([index, name = '', total, free, driver = '', capability, uuid = '']) => ({
      index: Number(index),
      name,
      totalBytes: Number(total) * mebibyte,
      freeBytes: Number(free) * mebibyte,
      driver,
      computeCapability: Number(capability) || undefined,
      uuid,
    }))
}

/**
 * Returns the GPUs that a CUDA program sees with this value of `CUDA_VISIBLE_DEVICES`, with the numbers that it gives them:
 * numbers or the beginnings of UUIDs, in the order of the list. CUDA ignores everything from the first unknown entry on.
 */
export function visibleGpus(gpus: readonly Gpu[], visibleDevices: string | undefined): readonly Gpu[] {
  if (visibleDevices === undefined) return gpus
  const visible: Gpu[] = []
  for (const entry of visibleDevices.split(',').map((each) => each.trim())) {
    const gpu = gpus.find(({ index, uuid }) =>
      /^\d+$/.test(entry) ? index === Number(entry) : entry.startsWith('GPU-') && uuid.startsWith(entry),
    )
    if (gpu === undefined) break
    visible.push({ ...gpu, index: visible.length })
  }
  return visible
}

/** The server's PyTorch (2.3, CUDA 12.1) has code for these compute capabilities. */
const capabilities = { oldest: 5, newest: 9 }
const oldestDriver = 525

/** Returns why the server's PyTorch can't use a GPU; undefined if it can. */
export function obstacleOf({ name, driver, computeCapability }: Gpu): string | undefined {
  if (Number.parseFloat(driver) < oldestDriver)
    return `the driver ${driver} of the ${name} is too old: install ${oldestDriver} or newer`
  if (computeCapability === undefined) return undefined
  if (computeCapability >= capabilities.newest + 1)
    return `the ${name} is newer than the PyTorch 2.3 that Petals 2.2.0 runs on`
  if (computeCapability < capabilities.oldest)
    return `the ${name} is too old for PyTorch 2.3: it needs compute capability ${capabilities.oldest}.0 or more`
  return undefined
}
