import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AbortOptions } from '@petals-chat/engine'
import { inStorage, makeFolder } from '../storage.ts'

/** How often the holder shows that it lives. */
const heartbeatMs = 2_000
/** A holder on another machine that has not done so for this long is gone (a dead one on this machine is seen at once). */
const staleMs = 20_000
const pollMs = 100

export interface FileLock {
  /** False if another process took the lock for abandoned, as after this one was suspended for long. */
  isHeld(): Promise<boolean>
}

export interface FileLockOptions extends AbortOptions {
  /** Called about ten times a second while another process holds the lock. */
  readonly onWait?: (() => void) | undefined
}

interface Owner {
  readonly token: string
  readonly pid: number
  readonly host: string
}

/**
 * Runs `task` while no other process, on this machine or another that shares the folder, is in a task with the same
 * lock file. Node has no `flock`: the lock is a file that only one can create, kept young by its holder. A crashed
 * holder's lock is taken over.
 */
export async function withFileLock<T>(
  path: string,
  options: FileLockOptions,
  task: (lock: FileLock) => Promise<T>,
): Promise<T> {
  const owner: Owner = { token: randomUUID(), pid: process.pid, host: hostname() }
  await makeFolder(dirname(path))
  await inStorage(dirname(path), () => acquire(path, owner, options))
  const isHeld = async (): Promise<boolean> => (await readOwner(path))?.token === owner.token
  const heartbeat = setInterval(() => void touch(path).catch(() => {}), heartbeatMs).unref()
  try {
    return await task({ isHeld })
  } finally {
    clearInterval(heartbeat)
    if (await isHeld()) await rm(path, { force: true })
  }
}

async function acquire(path: string, owner: Owner, { signal, onWait }: FileLockOptions): Promise<void> {
  let seen = { mtimeMs: NaN, at: 0 }
  while (!(await create(path, owner))) {
    signal?.throwIfAborted()
    const mtimeMs = (await stat(path).catch(() => undefined))?.mtimeMs
    // Compared with what was seen before, not with this machine's clock: a file server's clock may differ.
    if (mtimeMs !== seen.mtimeMs) seen = { mtimeMs: mtimeMs ?? NaN, at: performance.now() }
    const current = await readOwner(path)
    if (isDead(current) || performance.now() - seen.at > staleMs) await breakLock(path, current)
    else {
      onWait?.()
      await sleep(pollMs, undefined, { signal }).catch(() => signal?.throwIfAborted())
    }
  }
}

async function create(path: string, owner: Owner): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(JSON.stringify(owner)).finally(() => file.close())
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Undefined if there is none, or it is being written just now. */
async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Owner
  } catch {
    return undefined
  }
}

function isDead(owner: Owner | undefined): boolean {
  if (owner === undefined || owner.host !== hostname()) return false
  try {
    process.kill(owner.pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** Moves an abandoned lock out of the way; if it was a fresh one after all, puts that back. */
async function breakLock(path: string, abandoned: Owner | undefined): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  )
  if (!moved) return
  const taken = await readOwner(aside)
  if (taken?.token !== abandoned?.token) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
}

const touch = (path: string): Promise<void> => {
  const now = new Date()
  return utimes(path, now, now)
}
