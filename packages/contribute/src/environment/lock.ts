import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ContributeError } from '../contribute-error.ts'

/** The holder of a lock shows that it lives this often, in milliseconds. */
const beatMs = 2000

export interface LockOptions {
  /** Called again and again while another process holds the lock. */
  readonly onWait: () => void
  readonly signal?: AbortSignal | undefined
  /** For tests: a lock whose holder shows no life for so long is taken over. */
  readonly staleMs?: number
}

/**
 * Makes a folder that only one process has at a time; gives what removes it. A lock whose holder is gone is taken over: its
 * process id alone does not tell, since that of a container is the same after each start. @throws ContributeError
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

/** False if another process has it. */
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
    `The Python environment can't be made in ${path.dirname(folder)}: ${(error as Error).message}. Name a place that you may write to: --environment FOLDER.`,
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
