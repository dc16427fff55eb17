import { readFileSync } from 'node:fs'

export interface RunningProcess {
  readonly pid: number
  /** Its arguments, split by spaces. */
  readonly command: string
}

/** A process and all that it has started, as Linux shows them (CI is Linux). */
export function processTree(pid: number): readonly RunningProcess[] {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/)
    return [{ pid, command }, ...children.filter(Boolean).flatMap((child) => processTree(Number(child)))]
  } catch {
    return [] // it has ended
  }
}

/** Those that still run; one that only waits for its parent to hear of its end (a zombie) does not. */
export const stillRunning = (processes: readonly RunningProcess[]): readonly RunningProcess[] =>
  processes.filter(({ pid }) => {
    try {
      return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    } catch {
      return false
    }
  })
