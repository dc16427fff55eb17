import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { childEnvironment, endWithThisProcess } from '@petals-chat/engine'
import type { Command, Message } from '../protocol.ts'

export interface BlockProcessHandlers {
  readonly onMessage: (message: Message) => void
  /** Called once, when the process has ended. `how` continues "the process …". */
  readonly onExit: (how: string) => void
  readonly onOutput: (line: string) => void
}

/** Characters of output that are kept: enough for what llama.cpp prints before it aborts. */
const keptOutputLength = 4000
/** How long to wait for a process's last output after its end. */
const lastOutputMs = 50

/** The source runs unbuilt under this export condition, which the child needs, too. */
const runsFromSource = import.meta.url.endsWith('.ts')
const entry = fileURLToPath(new URL(`../child/main.${runsFromSource ? 'ts' : 'js'}`, import.meta.url))
const execArgv = runsFromSource ? ['--conditions=petals-chat-source'] : []

/**
 * What is freed goes back to the system. glibc would keep it: its limits grow with the memory that is freed, up to 32 MiB, and
 * the buffers that weights were loaded through left 55 MB of 170 MB unused in the heap. Other libraries of C ignore these.
 */
const memoryEnvironment = { MALLOC_MMAP_THRESHOLD_: '262144', MALLOC_TRIM_THRESHOLD_: '262144' }

/** The process that computes. It ends when this process ends, even if this one is killed, because its IPC channel closes. */
export class BlockProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #output = ''
  #reason: string | undefined

  constructor(handlers: BlockProcessHandlers) {
    this.#child = fork(entry, [], {
      execArgv,
      env: { ...memoryEnvironment, ...childEnvironment() },
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    endWithThisProcess(this.#child)
    this.#child.on('message', (message) => handlers.onMessage(message as Message))
    const keep = (chunk: string) => {
      this.#output = (this.#output + chunk).slice(-keptOutputLength)
      for (const line of chunk.split('\n')) if (line.trim() !== '') handlers.onOutput(line.trimEnd())
    }
    this.#child.stdout?.setEncoding('utf8').on('data', keep)
    this.#child.stderr?.setEncoding('utf8').on('data', keep)
    this.#exited = this.#waitForEnd().then((how) => handlers.onExit(this.#reason ?? how))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  send(command: Command): void {
    // If the process has ended, `onExit` reports it: this callback has nothing to do.
    if (this.#child.connected) this.#child.send(command, () => {})
  }

  /** Ends the process immediately; `reason` is passed to `onExit`. */
  async kill(reason: string): Promise<void> {
    this.#reason ??= reason
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  async #waitForEnd(): Promise<string> {
    try {
      const closed = once(this.#child, 'close')
      const [code, signal] = (await once(this.#child, 'exit')) as [number | null, NodeJS.Signals | null]
      await Promise.race([closed, sleep(lastOutputMs)])
      return describeExit(code, signal, this.#output)
    } catch (error) {
      return `could not be started (${error instanceof Error ? error.message : String(error)})`
    }
  }
}

function describeExit(code: number | null, signal: NodeJS.Signals | null, output: string): string {
  if (signal === 'SIGKILL') return 'was killed (SIGKILL: by a user, or by the system when memory ran out)'
  const assertion = /^.*GGML_ASSERT.*$/m.exec(output)?.[0]
  const crash = signal ? `crashed (${signal})` : `ended with exit code ${code}`
  return assertion ? `${crash}: ${assertion.trim()}` : crash
}
