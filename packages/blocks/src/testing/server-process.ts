import { execFile, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ListeningLimits } from '@petals-chat/petals/protocol'
import type { ServingLimits } from '../sessions/host.ts'

export interface ServerSettings {
  readonly cacheTokens: number
  /** Addresses to listen on; default: one of 127.0.0.1. */
  readonly listen?: readonly string[] | undefined
  readonly limits?: Partial<ServingLimits & ListeningLimits> | undefined
  readonly requestMemoryBytes?: number | undefined
}

/** What a server says of itself, after a garbage collection. */
export interface ServerReport {
  readonly addresses: readonly string[]
  readonly enginePid: number
  /** What the garbage collection has left of objects and buffers. */
  readonly liveMiB: number
  readonly load: {
    readonly connections: number
    readonly streams: number
    readonly requestBytes: number
    readonly cacheTokensLeft: number
    readonly sessions: number
  }
}

/** Resident memory in MiB. */
export interface ServerMemory {
  readonly server: number
  readonly engine: number
}

/** A server of the tiny model in a process of its own, whose memory can be measured. */
export class ServerProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<never>
  #enginePid = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'exit').then(([code, signal]: unknown[]) => {
      throw new Error(`The server process ended with ${String(code ?? signal)}.`)
    })
    this.#ended.catch(() => {})
  }

  static async start(settings: ServerSettings): Promise<ServerProcess> {
    const program = fileURLToPath(new URL('server-process-main.ts', import.meta.url))
    const child = fork(program, { execArgv: ['--conditions=petals-chat-source', '--expose-gc'] })
    const server = new ServerProcess(child)
    try {
      await server.#ask(settings)
      return server
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  report(): Promise<ServerReport> {
    return this.#ask('report')
  }

  /** Measures both processes; a `report` before it lets the server collect its garbage. */
  async memory(): Promise<ServerMemory> {
    const pids = [this.#child.pid!, this.#enginePid]
    const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=,rss=', '-p', pids.join()])
    const rows = new Map(stdout.split('\n').map((line) => line.trim().split(/\s+/) as [string, string]))
    const [server, engine] = pids.map((pid) => Math.round(Number(rows.get(String(pid))) / 1024))
    return { server: server!, engine: engine! }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }

  async #ask(message: ServerSettings | 'report'): Promise<ServerReport> {
    this.#child.send(message)
    const answer = once(this.#child, 'message') as Promise<[ServerReport | { readonly error: string }]>
    const [report] = await Promise.race([answer, this.#ended])
    if ('error' in report) throw new Error(report.error)
    this.#enginePid = report.enginePid
    return report
  }
}
