import { randomUUID } from 'node:crypto'
import { open, readFile, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AbortOptions } from '@petals-chat/engine'
import { inStorage, makeFolder } from '../storage.ts'

/** Interval in which the holder shows that it is alive. */
const heartbeatMs = 2_000
/** A holder on another machine that has not done so for this time is dead (one on this machine is detected at once). */
const staleMs = 20_000
const pollMs = 100

export interface FileLock {
  /** Returns false if another process has taken over the lock because this one was suspended for long. */
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
 * lock file. Node has no `flock`: the lock is a file that only one process can create, and that its holder keeps
 * updating. The lock of a crashed holder is taken over.
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
    const held = await inspect(path)
    // Compared with the previous time stamp, not with this machine's clock: a file server's clock may differ.
    if (held.mtimeMs !== seen.mtimeMs) seen = { mtimeMs: held.mtimeMs, at: performance.now() }
    if (isDead(held.owner) || performance.now() - seen.at > staleMs) await breakLock(path, held, owner)
    else onWait?.()
    await sleep(pollMs, undefined, { signal }).catch(() => signal?.throwIfAborted())
  }
}

/** The current state of a lock file. */
interface Held {
  /** NaN if there is none. */
  readonly mtimeMs: number
  readonly owner: Owner | undefined
}

async function inspect(path: string): Promise<Held> {
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: NaN }))
  return { mtimeMs, owner: await readOwner(path) }
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

/** Returns undefined if there is none, or if it is just being written. */
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

/**
 * Deletes an abandoned lock. Only one of the waiting processes may do so, and only if it is still the same lock: else a
 * slower process would delete the lock that a faster one has just taken.
 */
async function breakLock(path: string, abandoned: Held, owner: Owner): Promise<void> {
  const guard = `${path}.breaking`
  if (!(await create(guard, owner))) return discardOldGuard(guard)
  try {
    const now = await inspect(path)
    if (now.mtimeMs === abandoned.mtimeMs && now.owner?.token === abandoned.owner?.token)
      await rm(path, { force: true })
  } finally {
    await rm(guard, { force: true })
  }
}

/** Deletes an old guard. A guard exists for milliseconds, unless its process died in between. */
async function discardOldGuard(guard: string): Promise<void> {
  const { mtimeMs } = await stat(guard).catch(() => ({ mtimeMs: Date.now() }))
  if (Date.now() - mtimeMs > staleMs) await rm(guard, { force: true })
}

const touch = (path: string): Promise<void> => {
  const now = new Date()
  return utimes(path, now, now)
}
