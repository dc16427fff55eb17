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

/** Runs a task that writes below `folder`, and says what to do if the disk does not let it. */
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

/** Scratch files that are not written to for this long belong to a process that is gone. */
const abandonedMs = 60 * 60 * 1000

/**
 * Makes a file that is there as a whole or not at all: `write` fills a scratch file, which then takes the name. Two
 * processes that make the same file do the work twice, and either result is kept.
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
      // Without it a loss of power can leave a file of the right size with nothing in it.
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(scratch, target)
  } catch (error) {
    await rm(scratch, { force: true })
    // Windows does not replace a file that another process has open: then that one was first, with the same content.
    if (!(isHeld(error) && (await sizeOf(target)) !== undefined)) throw error
  }
}

const isHeld = (error: unknown): boolean =>
  process.platform === 'win32' &&
  ['EPERM', 'EACCES', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')

/** Removes files of `folder` that are of no more use, by their name and the time since their last change. */
export async function removeFiles(
  folder: string,
  isUseless: (name: string, ageMs: number) => boolean,
): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name)
    const state = await stat(file).catch(() => undefined)
    if (!state || !isUseless(name, Date.now() - state.mtimeMs)) continue
    // Another process may still use it, which Windows does not forgive; then the next time will do.
    await rm(file, { force: true }).catch(() => {})
  }
}
