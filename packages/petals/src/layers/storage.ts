import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { ModelUnavailableError } from '@petals-chat/engine'

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room there, or set another cache folder',
  EDQUOT: 'your disk quota is used up: make room there, or set another cache folder',
  EACCES: 'this user may not write there: change the folder or its permissions',
  EPERM: 'this user may not write there: change the folder or its permissions',
  EROFS: 'it is on a read-only disk: set another cache folder',
  ENOTDIR: 'a part of the path is a file: set another cache folder',
  EEXIST: 'it is a file, not a folder: set another cache folder',
}

/** Runs a task that writes below `folder`. @throws ModelUnavailableError that says what to do about an error of the disk */
export async function inFolder<T>(folder: string, what: string, task: () => Promise<T>): Promise<T> {
  try {
    await mkdir(folder, { recursive: true })
    return await task()
  } catch (error) {
    const remedy = remedies[(error as NodeJS.ErrnoException).code ?? '']
    if (remedy === undefined) throw error
    throw new ModelUnavailableError(`${what} can't be kept in ${folder}: ${remedy}.`, { cause: error })
  }
}

export async function sizeOf(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.size
}

const scratchSuffix = '.scratch'

/** A scratch file that was not written to for this long belongs to a process that has ended. */
const abandonedMs = 60 * 60 * 1000

/**
 * Creates a file completely or not at all: `write` fills a scratch file, which is then renamed. Two processes that create
 * the same file do the work twice; one of the results is kept.
 */
export async function makeWhole(target: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const isAbandoned = (name: string, ageMs: number): boolean =>
    name.startsWith(path.basename(target)) && name.endsWith(scratchSuffix) && ageMs > abandonedMs
  await removeFiles(path.dirname(target), isAbandoned)
  const scratch = `${target}.${randomUUID()}${scratchSuffix}`
  const file = await open(scratch, 'wx+')
  try {
    try {
      await write(file)
      // Without this, a power failure can leave a file of the right size without content.
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(scratch, target)
  } catch (error) {
    await rm(scratch, { force: true })
    // Windows does not replace a file that another process has open. That process created the same content first.
    if (!(isHeld(error) && (await sizeOf(target)) !== undefined)) throw error
  }
}

const isHeld = (error: unknown): boolean =>
  process.platform === 'win32' &&
  ['EPERM', 'EACCES', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')

/** Removes the useless files of a folder, which are told by their names and the time since their last change. */
export async function removeFiles(
  folder: string,
  isUseless: (name: string, ageMs: number) => boolean,
): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name)
    const state = await stat(file).catch(() => undefined)
    if (!state || !isUseless(name, Date.now() - state.mtimeMs)) continue
    // Windows does not remove a file that another process uses. The next call tries again.
    await rm(file, { force: true }).catch(() => {})
  }
}
