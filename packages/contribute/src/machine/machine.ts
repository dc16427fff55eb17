import { readdir, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { findGpus, visibleGpus, type Gpu } from './gpus.ts'

/** The properties of this machine that matter to a server. */
export interface Machine {
  readonly platform: NodeJS.Platform
  readonly arch: NodeJS.Architecture
  /** The GPUs that its programs can see. */
  readonly gpus: readonly Gpu[]
  /** Memory that programs can allocate now. */
  readonly freeMemoryBytes: number
}

/** Looks at this machine. `environment` may hide GPUs by `CUDA_VISIBLE_DEVICES`: a server inherits it. */
export async function lookAtMachine(
  environment: Readonly<Record<string, string | undefined>> = {},
): Promise<Machine> {
  return {
    platform: process.platform,
    arch: process.arch,
    gpus: visibleGpus(await findGpus(), environment.CUDA_VISIBLE_DEVICES),
    freeMemoryBytes: Math.min(process.availableMemory(), process.constrainedMemory() || os.totalmem()),
  }
}

/** Returns the free bytes of the disk that a folder is or will be on; undefined where the system does not say. */
export async function freeDiskBytes(folder: string): Promise<number | undefined> {
  for (let place = path.resolve(folder); ; place = path.dirname(place)) {
    const disk = await statfs(place).catch(() => undefined)
    if (disk !== undefined) return disk.bavail * disk.bsize
    if (place === path.dirname(place)) return undefined
  }
}

/** Returns the bytes of all files below a folder, 0 if it does not exist. Files may appear and vanish meanwhile. */
export async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  let total = 0
  for (const entry of entries) {
    const place = path.join(folder, entry.name)
    if (entry.isDirectory()) total += await folderBytes(place)
    else if (entry.isFile())
      total += await stat(place).then(
        ({ size }) => size,
        () => 0,
      )
  }
  return total
}

/** Reports whether a server can listen on a TCP port. */
export function isPortFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
