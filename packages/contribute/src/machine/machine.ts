import { readdir, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { findGpus, type Gpu } from './gpus.ts'

/** What of this machine matters to a server. */
export interface Machine {
  readonly platform: NodeJS.Platform
  readonly arch: NodeJS.Architecture
  readonly gpus: readonly Gpu[]
  /** Memory that programs can get now. */
  readonly freeMemoryBytes: number
}

export async function lookAtMachine(): Promise<Machine> {
  return {
    platform: process.platform,
    arch: process.arch,
    gpus: await findGpus(),
    freeMemoryBytes: Math.min(process.availableMemory(), process.constrainedMemory() || os.totalmem()),
  }
}

/** Free bytes of the disk that a folder is on, or will be; undefined where that can't be known. */
export async function freeDiskBytes(folder: string): Promise<number | undefined> {
  for (let place = path.resolve(folder); ; place = path.dirname(place)) {
    const disk = await statfs(place).catch(() => undefined)
    if (disk !== undefined) return disk.bavail * disk.bsize
    if (place === path.dirname(place)) return undefined
  }
}

/** Bytes of all files below a folder, 0 where there is none. Files that come and go meanwhile do not matter. */
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

/** Whether a TCP port can be listened on. */
export function isPortFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
