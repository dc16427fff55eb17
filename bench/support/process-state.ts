import { readdir, readFile } from 'node:fs/promises'

const MIB = 1024 * 1024

/** The memory and the open files of one process (Linux). */
export interface ProcessState {
  readonly residentMiB: number
  readonly files: number
}

export async function readProcess(pid: number): Promise<ProcessState> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1])
  const files = await readdir(`/proc/${pid}/fd`)
  return { residentMiB: Math.round((kib * 1024) / MIB), files: files.length }
}

/** Reads the process until `isReached`, for at most `withinMs`; returns its last state and the time that it took. */
export async function readUntil(
  pid: number,
  isReached: (state: ProcessState) => boolean,
  withinMs: number,
): Promise<ProcessState & { readonly afterMs: number }> {
  const startedAt = performance.now()
  while (true) {
    const state = await readProcess(pid)
    const afterMs = Math.round(performance.now() - startedAt)
    if (isReached(state) || afterMs > withinMs) return { ...state, afterMs }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Returns by how much the process grew at most while `act` ran. */
export async function growthOf(pid: number, act: () => Promise<void>): Promise<number> {
  const before = (await readProcess(pid)).residentMiB
  let most = before
  const timer = setInterval(
    () => void readProcess(pid).then(({ residentMiB }) => (most = Math.max(most, residentMiB))),
    50,
  )
  await act()
  clearInterval(timer)
  return most - before
}
