import { randomUUID } from 'node:crypto'
import { open, readFile, rm, stat, utimes } from 'node:fs/promises'
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
    const held = await inspect(path)
    // Compared with what was seen before, not with this machine's clock: a file server's clock may differ.
    if (held.mtimeMs !== seen.mtimeMs) seen = { mtimeMs: held.mtimeMs, at: performance.now() }
    if (isDead(held.owner) || performance.now() - seen.at > staleMs) await breakLock(path, held, owner)
    else onWait?.()
    await sleep(pollMs, undefined, { signal }).catch(() => signal?.throwIfAborted())
  }
}

/** A lock file as it is now. */
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

/**
 * Deletes an abandoned lock. Of several that wait for it only one may do so, and only if it is still that lock: else the
 * slower would delete what the faster has just taken.
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

/** It is there for milliseconds, unless its process died in them. */
async function discardOldGuard(guard: string): Promise<void> {
  const { mtimeMs } = await stat(guard).catch(() => ({ mtimeMs: Date.now() }))
  if (Date.now() - mtimeMs > staleMs) await rm(guard, { force: true })
}

const touch = (path: string): Promise<void> => {
  const now = new Date()
  return utimes(path, now, now)
}
