import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { processTree, stillRunning, type RunningProcess } from './process-tree.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

export interface ShellLine extends AsyncDisposable {
  readonly pid: number
  /** All that it has printed so far, on both streams. */
  readonly output: () => string
  /** Resolves when the shell is gone, to its exit code (null after a signal). */
  readonly exited: Promise<number | null>
  /** The shell and all that it has started, as it is now. */
  readonly tree: () => readonly RunningProcess[]
  /** Sends a signal to all, as a terminal does. */
  readonly signalAll: (signal: NodeJS.Signals) => void
  /** Waits until the output has this. @throws with the output if the line has ended before. */
  readonly until: (pattern: RegExp) => Promise<RegExpExecArray>
}

export interface ShellLineOptions {
  readonly env: NodeJS.ProcessEnv
  readonly cwd?: string
}

/** Runs a line as it would be typed, in a process group of its own; disposal ends what is left of it. */
export function startLine(line: string, { env, cwd = root }: ShellLineOptions): ShellLine {
  const child = spawn('sh', ['-c', line], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const pid = child.pid!
  let output = ''
  let ended = false
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  void exited.then(() => (ended = true))
  const signalAll = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal)
    } catch {
      // All of them have ended.
    }
  }
  const tree = () => processTree(pid)
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    let match: RegExpExecArray | null = null
    const look = () => (match = pattern.exec(output)) !== null || ended
    await expect
      .poll(look, { timeout: 180_000, interval: 100, message: `${line}: ${String(pattern)}` })
      .toBe(true)
    if (match === null) throw new Error(`${line} ended without ${String(pattern)}:\n${output}`)
    return match
  }
  const dispose = async (): Promise<void> => {
    const started = tree()
    signalAll('SIGTERM')
    await expect.poll(() => stillRunning(started), { interval: 100 }).toEqual([])
  }
  return { pid, output: () => output, exited, tree, signalAll, until, [Symbol.asyncDispose]: dispose }
}
