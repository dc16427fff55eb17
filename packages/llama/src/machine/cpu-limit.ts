import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { posix } from 'node:path'

/** The cores of this machine, and how many of them this process may use. */
export interface CoreCount {
  readonly available: number
  readonly installed: number
  /** Why `available` is less than `installed`, if it is. */
  readonly limitedBy?: 'affinity' | 'cgroup' | undefined
}

/** Returns the contents of a file, or undefined if it does not exist. */
export type ReadText = (path: string) => string | undefined

/** Counts the cores that this process may use, by its affinity mask and, in a container, its share of CPU time. */
export function countCores(readText: ReadText = readTextFile): CoreCount {
  const installed = cpus().length || availableParallelism()
  const affine = availableParallelism()
  const quota = process.platform === 'linux' ? cgroupCpuLimit(readText) : undefined
  const available = Math.max(1, Math.min(affine, Math.floor(quota ?? Infinity)))
  if (quota !== undefined && quota < affine) return { available, installed, limitedBy: 'cgroup' }
  return { available, installed, limitedBy: affine < installed ? 'affinity' : undefined }
}

/** Returns how many CPUs the control groups of this process allow, possibly a fraction; undefined without a limit. */
export function cgroupCpuLimit(readText: ReadText): number | undefined {
  const groups = readText('/proc/self/cgroup') ?? ''
  const limits = groups.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (path === undefined) return []
    if (controllers === '')
      return ancestors('/sys/fs/cgroup', path).map((folder) => limitV2(folder, readText))
    if (!controllers?.split(',').includes('cpu')) return []
    // In a container the group's folder is mounted as the root, under either name.
    return ['/sys/fs/cgroup/cpu', `/sys/fs/cgroup/${controllers}`].flatMap((root) =>
      ancestors(root, path).map((folder) => limitV1(folder, readText)),
    )
  })
  const least = Math.min(...limits.filter((limit) => limit !== undefined))
  return Number.isFinite(least) ? least : undefined
}

/** Returns the folder of a group and its parents: each may set a limit. */
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

/** A quota of "max" or -1 means no limit. */
const ratio = (quota: number | undefined, period: number | undefined): number | undefined =>
  quota && period && quota > 0 && period > 0 ? quota / period : undefined

function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
