import { lstat, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CachedFile, RemovedModel } from '../model-store.types.ts'
import { discard, inStorage, listFolder } from '../storage.ts'
import { partialSuffix } from './download.ts'
import type { RepositoryCache } from './repository-cache.ts'

/** The contents of the cache for one repository or wheel. */
export interface RepositoryScan {
  readonly files: readonly CachedFile[]
  /** Bytes on disk, including byte ranges of uncached files; content that several files share counts once. */
  readonly sizeBytes: number
  readonly partialBytes: number
  readonly modifiedAt: Date
}

/** Returns the folders of the cache whose names begin with `prefix--`. */
export async function cachedNames(cacheDir: string, prefix: string): Promise<readonly string[]> {
  const entries = await readdir(cacheDir, { withFileTypes: true }).catch(() => [])
  const folders = entries.filter((entry) => entry.isDirectory() && entry.name.startsWith(`${prefix}--`))
  return folders.map(({ name }) => name).sort()
}

export async function scanRepository(cache: RepositoryCache): Promise<RepositoryScan> {
  const content = ['snapshots', 'blobs', join('.petals-chat', 'ranges')].map((name) =>
    join(cache.folder, name),
  )
  const files = await snapshotFiles(cache)
  const all = await diskFiles(...content)
  const isPartial = (file: DiskFile): boolean => file.path.endsWith(partialSuffix)
  return {
    files: files.map(({ identity: _, ...file }) => file),
    sizeBytes: sum(all.filter((file) => !isPartial(file))),
    partialBytes: sum(all.filter(isPartial)),
    modifiedAt: new Date(Math.max(0, ...all.map((file) => file.mtimeMs))),
  }
}

/**
 * Deletes the cached files that `isSelected` selects, and then the content that no other file refers to; if no file is left,
 * deletes the whole repository. Undefined if there was no such file.
 */
export async function removeFiles(
  cache: RepositoryCache,
  isSelected: (file: CachedFile) => boolean,
): Promise<RemovedModel | undefined> {
  const files = await snapshotFiles(cache)
  const selected = files.filter(isSelected)
  if (selected.length === 0) return undefined
  if (selected.length === files.length) return removeRepository(cache)
  const before = sum(await diskFiles(cache.folder))
  const kept = new Set(files.filter((file) => !isSelected(file)).map(({ identity }) => identity))
  const blobs = selected.filter(({ identity }) => !kept.has(identity)).map(({ identity }) => identity)
  return inStorage(cache.folder, async () => {
    for (const { path } of selected) await discard(path)
    const orphans = (await diskFiles(join(cache.folder, 'blobs'))).filter(({ identity }) =>
      blobs.includes(identity),
    )
    for (const { path } of orphans) await discard(path)
    return {
      paths: selected.map(({ path }) => path),
      freedBytes: before - sum(await diskFiles(cache.folder)),
    }
  })
}

/** Deletes a whole repository. Undefined if there is nothing. */
export async function removeRepository(cache: RepositoryCache): Promise<RemovedModel | undefined> {
  const files = await diskFiles(cache.folder)
  if (files.length === 0) return undefined
  await cache.remove()
  return { paths: [cache.folder], freedBytes: sum(files) }
}

/** A file in a snapshot; `identity` is the same for all names of one content. */
type SnapshotFile = CachedFile & { readonly identity: string }

async function snapshotFiles(cache: RepositoryCache): Promise<readonly SnapshotFile[]> {
  const snapshots = join(cache.folder, 'snapshots')
  const names = await listFolder(snapshots).catch(() => [])
  const files = names.map(async (path): Promise<SnapshotFile | undefined> => {
    const slash = path.indexOf('/')
    const found = await stat(join(snapshots, path)).catch(() => undefined)
    if (slash < 0 || found === undefined) return undefined
    const revision = path.slice(0, slash)
    const name = path.slice(slash + 1)
    return { name, revision, path: join(snapshots, path), sizeBytes: found.size, identity: identityOf(found) }
  })
  return (await Promise.all(files)).filter((file) => file !== undefined)
}

interface DiskFile {
  readonly path: string
  readonly sizeBytes: number
  readonly mtimeMs: number
  readonly identity: string
}

/** Returns the files that take space: no symlinks, and only one of several names of the same content. */
async function diskFiles(...folders: readonly string[]): Promise<readonly DiskFile[]> {
  const files = new Map<string, DiskFile>()
  for (const path of await pathsBelow(folders)) {
    const found = await lstat(path).catch(() => undefined)
    if (found === undefined || found.isSymbolicLink()) continue
    files.set(identityOf(found), {
      path,
      sizeBytes: found.size,
      mtimeMs: found.mtimeMs,
      identity: identityOf(found),
    })
  }
  return [...files.values()]
}

async function pathsBelow(folders: readonly string[]): Promise<readonly string[]> {
  const names = folders.map(async (folder) =>
    (await listFolder(folder).catch(() => [])).map((name) => join(folder, name)),
  )
  return (await Promise.all(names)).flat()
}

const identityOf = ({ dev, ino }: { readonly dev: number; readonly ino: number }): string => `${dev}:${ino}`

const sum = (files: readonly { readonly sizeBytes: number }[]): number =>
  files.reduce((total, { sizeBytes }) => total + sizeBytes, 0)
