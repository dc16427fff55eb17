import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ModelSourceError } from './errors.ts'
import { formatBytes } from './format.ts'

/** Runs work on files below `folder`. If the disk is full or not writable, throws an error that says what to do. */
export async function inStorage<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storageError(error, folder) ?? error
  }
}

function storageError(error: unknown, folder: string): ModelSourceError | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (syscall === undefined) return undefined
  const elsewhere =
    'or choose another folder: HF_HUB_CACHE, or hub.cacheDir and hub.wheelCacheDir in petals-chat.yaml'
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new ModelSourceError(
        'storage',
        `The disk is full while writing to ${folder} (${code}). The downloaded part is kept: free some space and run again, ${elsewhere}.`,
        { cause: error },
      )
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
    case 'ENOTDIR':
    case 'EEXIST':
      return new ModelSourceError(
        'storage',
        `The cache folder ${folder} can't be written to (${code}). Make it writable, ${elsewhere}.`,
        { cause: error },
      )
    default:
      return undefined
  }
}

/** Fails before a long download if `bytes` more do not fit. */
export async function requireSpace(folder: string, bytes: number): Promise<void> {
  // Not every file system reports its size; then the write itself fails.
  const disk = await statfs(folder).catch(() => undefined)
  if (disk === undefined || disk.blocks === 0) return
  const free = disk.bavail * disk.bsize
  if (free >= bytes) return
  throw new ModelSourceError(
    'storage',
    `The disk is too full: ${formatBytes(bytes)} remain to be downloaded into ${folder}, ${formatBytes(free)} are free. ` +
      'Free some space, or choose another folder: HF_HUB_CACHE, or hub.cacheDir and hub.wheelCacheDir in petals-chat.yaml.',
  )
}

/** Creates a folder and its parents. */
export const makeFolder = (folder: string): Promise<void> =>
  inStorage(folder, async () => {
    await mkdir(folder, { recursive: true })
  })

/** Deletes a file or folder if it exists. */
export const discard = (path: string): Promise<void> =>
  // Windows may still lock files of a process that has just ended.
  rm(path, { recursive: true, force: true, maxRetries: 5 })

/** Returns whether a file exists, also behind a symlink. */
export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )

/** Returns the size of a file in bytes; -1 if it does not exist. */
export const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => -1,
  )

/** Returns the relative names of the files below a folder, with `/`, sorted. */
export async function listFolder(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => !entry.isDirectory())
  return files
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .sort()
}

/**
 * Moves a finished file to its name atomically. On Windows a virus scanner may lock a new file for a moment, so the move
 * is retried for a while.
 */
export async function moveInPlace(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rename(from, to)
    } catch (error) {
      const held = ['EPERM', 'EACCES', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')
      if (process.platform !== 'win32' || !held || attempt === 10) throw error
      await sleep(attempt * 50)
    }
  }
}

/** Writes a small file so that readers see either the old or the new content, never a part, even after a power failure. */
export async function writeAtomically(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  await makeFolder(dirname(path))
  try {
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await moveInPlace(temporary, path)
  } catch (error) {
    await discard(temporary)
    throw error
  }
}
