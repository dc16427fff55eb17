import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { posix } from 'node:path'

/** Cores of this machine, and how many of them this process may use. */
export interface CoreCount {
  readonly available: number
  readonly installed: number
  /** What holds `available` below `installed`, where something does. */
  readonly limitedBy?: 'affinity' | 'cgroup' | undefined
}

/** Contents of a file, or undefined if there is none. */
export type ReadText = (path: string) => string | undefined

/** Counts what this process may really use: its affinity mask and, in a container, its share of CPU time. */
export function countCores(readText: ReadText = readTextFile): CoreCount {
  const installed = cpus().length || availableParallelism()
  const affine = availableParallelism()
  const quota = process.platform === 'linux' ? cgroupCpuLimit(readText) : undefined
  const available = Math.max(1, Math.min(affine, Math.floor(quota ?? Infinity)))
  if (quota !== undefined && quota < affine) return { available, installed, limitedBy: 'cgroup' }
  return { available, installed, limitedBy: affine < installed ? 'affinity' : undefined }
}

/** CPUs that the control groups of this process leave it (a fraction is possible); undefined without a limit. */
export function cgroupCpuLimit(readText: ReadText): number | undefined {
  const groups = readText('/proc/self/cgroup') ?? ''
  const limits = groups.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (path === undefined) return []
    if (controllers === '')
      return ancestors('/sys/fs/cgroup', path).map((folder) => limitV2(folder, readText))
    if (!controllers?.split(',').includes('cpu')) return []
    // Inside a container the folder is mounted at its top, under either name.
    return ['/sys/fs/cgroup/cpu', `/sys/fs/cgroup/${controllers}`].flatMap((root) =>
      ancestors(root, path).map((folder) => limitV1(folder, readText)),
    )
  })
  const least = Math.min(...limits.filter((limit) => limit !== undefined))
  return Number.isFinite(least) ? least : undefined
}

/** The folder of a group and those above it: each may have a limit. */
function ancestors(root: string, path: string): string[] {
  const folders = [root]
  for (const name of path.split('/').filter(Boolean)) folders.push(posix.join(folders.at(-1)!, name))
  return folders
}

function limitV2(folder: string, readText: ReadText): number | undefined {
  const [quota, period] = (readText(`${folder}/cpu.max`) ?? '').trim().split(' ').map(Number)
  return ratio(quota, period)
}

function limitV1(folder: string, readText: ReadText): number | undefined {
  return ratio(
    Number(readText(`${folder}/cpu.cfs_quota_us`)),
    Number(readText(`${folder}/cpu.cfs_period_us`)),
  )
}

/** "max" and -1 mean no limit. */
const ratio = (quota: number | undefined, period: number | undefined): number | undefined =>
  quota && period && quota > 0 && period > 0 ? quota / period : undefined

function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
