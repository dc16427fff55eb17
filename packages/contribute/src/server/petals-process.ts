import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readLogLine, type ServerEvent } from './log-reader.ts'

/** Starts a Petals server, with the arguments of `petals.cli.run_server`. */
export const petalsServerScript = fileURLToPath(new URL('../../python/petals_server.py', import.meta.url))

export interface PetalsProcessOptions {
  /** Python of an environment with Petals. */
  readonly python: string
  /** Another program in place of petals_server.py, with its first arguments. */
  readonly program?: readonly string[] | undefined
  /** Arguments of petals_server.py. */
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly logFile: string
  /** Append to the log of an earlier server. */
  readonly append?: boolean
  readonly onEvent?: ((event: ServerEvent) => void) | undefined
  readonly onLine?: ((line: string) => void) | undefined
}

/** How a server ended. */
export interface ServerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Its last lines. */
  readonly lastLines: readonly string[]
}

/** A Petals server: several processes in their own process group. They end with this process, however it ends. */
export interface PetalsProcess extends AsyncDisposable {
  /** Id of the process group. */
  readonly group: number
  readonly exited: Promise<ServerExit>
  running(): boolean
  /** Sends a signal to all processes of the server. */
  signal(name: NodeJS.Signals): void
  /** Lets the server announce that it leaves; processes that are still running after `withinMs` are killed. */
  leave(withinMs: number): Promise<void>
}

const keptLines = 200

/** Starts a server. @throws Error if its Python can't be started */
export async function startPetalsProcess(options: PetalsProcessOptions): Promise<PetalsProcess> {
  const { python, program = [petalsServerScript], args, environment, logFile, append = false } = options
  await mkdir(path.dirname(logFile), { recursive: true })
  const log = createWriteStream(logFile, { flags: append ? 'a' : 'w' })
  const child = spawn(python, [...program, ...args], {
    detached: true,
    // The server ends when its standard input closes, even if this process is killed.
    stdio: ['pipe', 'pipe', 'pipe'],
    env: environment,
  })
  const lastLines: string[] = []
  const readLine = (line: string): void => {
    log.write(`${line}\n`)
    lastLines.push(line)
    if (lastLines.length > keptLines) lastLines.shift()
    options.onLine?.(line)
    const event = readLogLine(line)
    if (event !== undefined) options.onEvent?.(event)
  }
  child.stdin.on('error', () => {}) // the server has ended, which `exit` reports
  log.on('error', () => {}) // a full disk must not end the server
  const outputs = [child.stdout, child.stderr].map((stream) => {
    // Progress bars end their lines with a carriage return.
    const lines = createInterface({ input: stream, crlfDelay: 0 })
    lines.on('line', (text) => text.split('\r').filter(Boolean).forEach(readLine))
    return new Promise<void>((resolve) => lines.once('close', resolve))
  })
  const group = child.pid
  if (group === undefined) {
    const reason = await new Promise<Error>((resolve) => child.once('error', resolve))
    log.end()
    throw new Error(`The Petals server could not be started with ${python}: ${reason.message}`)
  }
  child.on('error', () => {})

  let running = true
  const signal = (name: NodeJS.Signals): void => signalTo(-group, name)
  const endWithUs = (): void => signal('SIGKILL')
  process.on('exit', endWithUs)
  const exited = new Promise<ServerExit>((resolve) =>
    child.once('exit', (code, name) => {
      running = false
      endWithUs()
      process.off('exit', endWithUs)
      // Output that is still in the pipes belongs to the last lines.
      void Promise.race([Promise.all(outputs), setTimeout(1000)]).then(() => {
        log.end()
        resolve({ code, signal: name, lastLines: [...lastLines] })
      })
    }),
  )
  return {
    group,
    exited,
    running: () => running,
    signal,
    async leave(withinMs) {
      // SIGINT raises KeyboardInterrupt in the first process; the others end with it.
      if (running) signalTo(group, 'SIGINT')
      await Promise.race([exited, setTimeout(withinMs, undefined, { ref: false })])
      signal('SIGKILL')
      await exited
    },
    async [Symbol.asyncDispose]() {
      signal('SIGCONT')
      signal('SIGTERM')
      await Promise.race([exited, setTimeout(3000, undefined, { ref: false })])
      signal('SIGKILL')
      await exited
    },
  }
}

/** Sends a signal to a process, or to a process group if `id` is negative. */
function signalTo(id: number, name: NodeJS.Signals): void {
  try {
    process.kill(id, name)
  } catch {
    // It has already ended.
  }
}
