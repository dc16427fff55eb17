import { createServer } from 'node:net'
import { homedir } from 'node:os'
import path from 'node:path'
import {
  diskBytes,
  folderBytes,
  freeDiskBytes,
  isPortFree,
  type BlockModel,
  type ServerPlan,
} from '@petals-chat/contribute'
import type { Environment } from '../config/overrides.ts'
import { CommandError } from '../exit-codes.ts'
import { formatBytes } from '../terminal/format.ts'

const defaultPort = 31_337

/** Returns the requested port or, without one, Petals' default port or any free one. @throws CommandError */
export async function choosePort(wish: number | undefined, host = '0.0.0.0'): Promise<number> {
  if (wish !== undefined && wish > 0) {
    if (await isPortFree(wish, host)) return wish
    throw new CommandError(
      `Port ${wish} of ${host} can't be used: another program has it, or this machine has no such address. Choose another port with --port N, or omit the flag.`,
    )
  }
  return wish === undefined && (await isPortFree(defaultPort, host)) ? defaultPort : anyPort(host)
}

function anyPort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) =>
      reject(new CommandError(`can't listen on --host ${host}: ${error.message}.`)),
    )
    server.listen(0, host, () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

/** The folders of this command in the user's cache. */
export interface ContributeFolders {
  /** Python environments. */
  readonly environments: string
  /** Logs and identities. */
  readonly state: string
  /** Where Petals keeps the blocks that it downloads. */
  readonly blocks: string
}

export function contributeFolders(environment: Environment): ContributeFolders {
  const cacheHome = environment.XDG_CACHE_HOME?.trim() || path.join(homedir(), '.cache')
  const own = path.join(path.resolve(cacheHome), 'petals-chat')
  return {
    environments: path.join(own, 'python'),
    state: path.join(own, 'contribute'),
    blocks: environment.PETALS_CACHE ?? path.join(path.resolve(cacheHome), 'petals'),
  }
}

export interface DiskNeed {
  readonly blockModel: Pick<BlockModel, 'parametersPerBlock' | 'fileBytesPerWeight'>
  readonly server: Pick<ServerPlan, 'blockCount'>
  readonly folders: Pick<ContributeFolders, 'blocks'>
}

/** Checks the disk space. Blocks that Petals already has count as free: it reuses them, or deletes the least recently used. @throws CommandError */
export async function requireDisk(name: string, { blockModel, server, folders }: DiskNeed): Promise<void> {
  const { blocks } = folders
  const free = await freeDiskBytes(blocks)
  const needed = diskBytes(blockModel, server.blockCount)
  if (free === undefined || free >= needed || free + (await folderBytes(blocks)) >= needed) return
  throw new CommandError(
    `The files of ${server.blockCount} blocks of ${name} take ${formatBytes(needed)}, and ${formatBytes(free)} are free at ${blocks}. Free some space, serve fewer blocks (--blocks N), or set PETALS_CACHE to a folder on another disk.`,
  )
}
