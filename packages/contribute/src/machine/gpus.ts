import { execFile } from 'node:child_process'

/** An NVIDIA GPU, as `nvidia-smi` describes it. */
export interface Gpu {
  readonly index: number
  readonly name: string
  readonly totalBytes: number
  readonly freeBytes: number
  readonly driver: string
  /** For example 8.6; undefined where the driver does not say. */
  readonly computeCapability: number | undefined
}

const fields = ['index', 'name', 'memory.total', 'memory.free', 'driver_version', 'compute_cap']
const mebibyte = 1024 ** 2

/** The NVIDIA GPUs of this machine; none where there is no driver. */
export function findGpus(command = 'nvidia-smi'): Promise<readonly Gpu[]> {
  const args = [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits']
  return new Promise((resolve) =>
    execFile(command, args, { timeout: 20_000 }, (error, stdout) => resolve(error ? [] : parseGpus(stdout))),
  )
}

export function parseGpus(text: string): readonly Gpu[] {
  return text
    .split('\n')
    .map((line) => line.split(',').map((cell) => cell.trim()))
    .filter((cells) => cells.length >= 5 && /^\d+$/.test(cells[0]!))
    .map(([index, name = '', total, free, driver = '', capability]) => ({
      index: Number(index),
      name,
      totalBytes: Number(total) * mebibyte,
      freeBytes: Number(free) * mebibyte,
      driver,
      computeCapability: Number(capability) || undefined,
    }))
}

/** The PyTorch of the server (2.3, CUDA 12.1) has code for these. */
const capabilities = { oldest: 5, newest: 9 }
const oldestDriver = 525

/** Why the server's PyTorch can't use a GPU; undefined if it can. */
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
