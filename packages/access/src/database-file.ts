import {
  chownSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'

/** What a path names at one moment. */
export interface FileLook {
  /** Which file it is. It is not given to another one as long as the file is open. */
  readonly id: string
  /** Changes when the file is written. */
  readonly content: string
}

/** Looks at a file without opening it; undefined if there is none. */
export function lookAt(path: string): FileLook | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found && { id: `${found.dev}:${found.ino}`, content: `${found.size}:${found.mtimeNs}` }
}

export const isSameLook = (left: FileLook, right: FileLook | undefined): boolean =>
  left.id === right?.id && left.content === right.content

/** The format version for writing: 2 with a log (WAL), 1 without (https://www.sqlite.org/fileformat.html, 1.3.3). */
const VERSION_OFFSET = 18
const WITHOUT_LOG = 1

/** Reports whether a database has no log, as copies have none: ours has one from the moment in which it is opened. */
export function isWithoutLog(path: string): boolean {
  const file = openSync(path, 'r')
  try {
    const header = Buffer.alloc(VERSION_OFFSET + 1)
    return readSync(file, header, { position: 0 }) === header.length && header[VERSION_OFFSET] === WITHOUT_LOG
  } finally {
    closeSync(file)
  }
}

/** The files of the log beside a database. */
export const logOf = (path: string): string => `${path}-wal`
const indexOf = (path: string): string => `${path}-shm`

/** Removes the log of the file that was at `path` before: it would be applied to the new one. */
export function removeLog(path: string): void {
  rmSync(logOf(path), { force: true })
  rmSync(indexOf(path), { force: true })
}

/** A copy that another process has begun to make, and has not put in its place since, is left over from a crash. */
const STALE_COPY_MS = 10_000

/**
 * Puts what the file `id` has into a new file in its place. Processes that have the old one open then leave what is at the
 * path alone, instead of writing their logs into it.
 * @throws Error while another process does the same, or if it has done so.
 */
export function replaceByCopy(path: string, id: string): void {
  const copy = `${path}-new`
  if (Date.now() - (statSync(copy, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > STALE_COPY_MS)
    rmSync(copy)
  // Only one process can make it.
  const file = openSync(copy, 'wx', 0o600)
  try {
    if (lookAt(path)?.id !== id) throw new Error('it was replaced meanwhile')
    copyFileSync(path, copy)
    if (process.getuid?.() === 0) chownSync(copy, statSync(path).uid, statSync(path).gid)
    fsyncSync(file)
    renameSync(copy, path)
  } catch (error) {
    rmSync(copy, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}
