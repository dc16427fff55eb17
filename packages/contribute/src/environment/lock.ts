import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ContributeError } from '../contribute-error.ts'

/** The holder of a lock updates its file at this interval, in milliseconds. */
const beatMs = 2000

export interface LockOptions {
  /** Called repeatedly while another process holds the lock. */
  readonly onWait: () => void
  readonly signal?: AbortSignal | undefined
  /** For tests: how long a lock may be without an update before it is taken over. */
  readonly staleMs?: number
}

/**
 * Takes a lock, which is a folder that only one process can create; returns the function that releases it. The lock of a
 * process that has ended is taken over. Its process id alone is not enough, because it is the same after each start of a
 * container. @throws ContributeError
 */
export async function lock(
  folder: string,
  { onWait, signal, staleMs = 30_000 }: LockOptions,
): Promise<() => Promise<void>> {
  const owner = path.join(folder, 'pid')
  await mkdir(path.dirname(folder), { recursive: true }).catch((error: unknown) => {
    throw unwritable(folder, error)
  })
  let lastBeat: number | undefined
  let seenAt = performance.now()
  for (;;) {
    signal?.throwIfAborted()
    if (await isMade(folder, owner)) return hold(folder, owner)
    const beat = (await stat(owner).catch(() => undefined))?.mtimeMs
    if (beat !== lastBeat) seenAt = performance.now()
    lastBeat = beat
    const pid = Number(await readFile(owner, 'utf8').catch(() => ''))
    const isStale = (pid > 0 && !isAlive(pid)) || performance.now() - seenAt > staleMs
    if (isStale) await rm(folder, { recursive: true, force: true })
    else onWait()
    await setTimeout(isStale ? 0 : 500, undefined, { signal }).catch(() => signal?.throwIfAborted())
  }
}

/** Returns false if another process holds the lock. */
async function isMade(folder: string, owner: string): Promise<boolean> {
  try {
    await mkdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw unwritable(folder, error)
  }
  try {
    await writeFile(owner, String(process.pid))
    return true
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw unwritable(folder, error)
  }
}

function hold(folder: string, owner: string): () => Promise<void> {
  const beat = setInterval(() => {
    const now = new Date()
    void utimes(owner, now, now).catch(() => {})
  }, beatMs)
  beat.unref()
  return async () => {
    clearInterval(beat)
    await rm(folder, { recursive: true, force: true })
  }
}

const unwritable = (folder: string, error: unknown): ContributeError =>
  new ContributeError(
    `The Python environment can't be made in ${path.dirname(folder)}: ${(error as Error).message}. Name a folder in which you may write: --environment FOLDER.`,
    { cause: error },
  )

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
