import { fork, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { childEnvironment, endWithThisProcess } from '@petals-chat/engine'
import type { LoadCommand } from '../protocol.ts'

/** What llama.cpp made of a file: an error in words, an answer, or the end of its process; or a limit was reached. */
export type ReadOutcome = 'refused' | 'runs' | 'ended' | 'slow' | 'large'

export interface MutantReaderOptions {
  /** A load that takes longer is ended. */
  readonly limitMs: number
  /** A process that takes more memory is ended. Linux only. */
  readonly limitBytes: number
}

/** Loads before a process is replaced: what damaged files leave in its memory must not add up. */
const LOADS_PER_PROCESS = 250
const CHECK_MS = 50

/** Loads model files in a process of its own, which is replaced when it ends. */
export class MutantReader implements Disposable {
  readonly #options: MutantReaderOptions
  #child: ChildProcess | undefined
  #loads = 0
  /** The most memory that a process has taken, in bytes. */
  mostBytes = 0

  constructor(options: MutantReaderOptions) {
    this.#options = options
  }

  async read(command: Omit<LoadCommand, 'type'>): Promise<ReadOutcome> {
    if (this.#loads++ % LOADS_PER_PROCESS === 0) this[Symbol.dispose]()
    // A process may also end between two loads.
    const child = this.#child?.connected ? this.#child : start()
    this.#child = child
    const { promise, resolve } = Promise.withResolvers<ReadOutcome>()
    let reached: ReadOutcome | undefined
    const onMessage = (message: unknown) => resolve((message as { readonly outcome: ReadOutcome }).outcome)
    const onExit = () => {
      this.#child = undefined
      resolve(reached ?? 'ended')
    }
    child.once('message', onMessage).once('exit', onExit)
    const startedAt = performance.now()
    const watch = setInterval(() => {
      reached ??= this.#limitReached(child, startedAt)
      if (reached) child.kill('SIGKILL')
    }, CHECK_MS)
    child.send({ type: 'load', ...command })
    const outcome = await promise
    clearInterval(watch)
    child.off('message', onMessage).off('exit', onExit)
    return outcome
  }

  #limitReached({ pid }: ChildProcess, startedAt: number): ReadOutcome | undefined {
    const bytes = memoryOf(pid)
    this.mostBytes = Math.max(this.mostBytes, bytes)
    if (bytes > this.#options.limitBytes) return 'large'
    return performance.now() - startedAt > this.#options.limitMs ? 'slow' : undefined
  }

  [Symbol.dispose](): void {
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }
}

function start(): ChildProcess {
  const child = fork(fileURLToPath(new URL('./mutant-reader-process.ts', import.meta.url)), [], {
    execArgv: ['--conditions=petals-chat-source'],
    env: childEnvironment(),
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  endWithThisProcess(child)
  return child
}

/** The resident memory of a process, in bytes; 0 where that can't be read. */
function memoryOf(pid: number | undefined): number {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0 // it has ended
  }
}
