import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ModelSourceError } from './errors.ts'
import { formatBytes } from './format.ts'

/** Runs work on files below `folder`; a full or unwritable disk becomes an error that says so and what to do. */
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
        `The disk is full while writing to ${folder} (${code}). What was fetched is kept: free some room and start again, ${elsewhere}.`,
        { cause: error },
      )
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
    case 'ENOTDIR':
    case 'EEXIST':
      return new ModelSourceError(
        'storage',
        `The cache folder ${folder} can't be written to (${code}). Make it a folder that you may write to, ${elsewhere}.`,
        { cause: error },
      )
    default:
      return undefined
  }
}

/** Fails early, before a long download, where `bytes` more will not fit. */
export async function requireSpace(folder: string, bytes: number): Promise<void> {
  // Not every file system tells; then the write itself will.
  const disk = await statfs(folder).catch(() => undefined)
  if (disk === undefined || disk.blocks === 0) return
  const free = disk.bavail * disk.bsize
  if (free >= bytes) return
  throw new ModelSourceError(
    'storage',
    `The disk is too full: ${formatBytes(bytes)} are still to be fetched into ${folder}, ${formatBytes(free)} are free. ` +
      'Free some room, or choose another folder: HF_HUB_CACHE, or hub.cacheDir and hub.wheelCacheDir in petals-chat.yaml.',
  )
}

/** Makes a folder and those above it. */
export const makeFolder = (folder: string): Promise<void> =>
  inStorage(folder, async () => {
    await mkdir(folder, { recursive: true })
  })

/** Deletes a file or folder if it is there. */
export const discard = (path: string): Promise<void> =>
  // Windows may hold files of a process that has just ended.
  rm(path, { recursive: true, force: true, maxRetries: 5 })

/** Whether there is a file, also behind a symlink. */
export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )

/** Bytes of a file; -1 if there is none. */
export const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => -1,
  )

/** Names of the files below a folder, relative, with `/`, sorted. */
export async function listFolder(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => !entry.isDirectory())
  return files
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .sort()
}

/**
 * Moves a finished file to its name in one step. On Windows a virus scanner may hold a new file for a moment; then it
 * is tried again for a while.
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

/** Writes a small file so that readers see the old content or the new, never a part, also after a power cut. */
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
