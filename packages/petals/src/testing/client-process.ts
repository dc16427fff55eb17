import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a client process shall ask of a swarm, as JSON. */
export interface AskedOfClient {
  readonly initialPeers: readonly string[]
  readonly dhtPrefix: string
  readonly numBlocks: number
  /** Hidden states of a dialogue, step by step. */
  readonly inputs: readonly { readonly shape: readonly [number, number]; readonly data: readonly number[] }[]
  /** How often the dialogue is run, each time after the DHT was asked anew. */
  readonly rounds: number
}

export interface ClientReport {
  /** Outputs of each round. */
  readonly outputs: readonly (readonly number[])[]
  /** Servers that have answered. */
  readonly peers: readonly string[]
  /** Memory of the process after a garbage collection, and the most that it ever was. */
  readonly rssMiB: number
  readonly mostRssMiB: number
}

/** The petals client in a process of its own, whose memory can be measured. */
export class ClientProcess implements AsyncDisposable {
  readonly #child: ChildProcess

  constructor() {
    const program = fileURLToPath(new URL('client-process-main.ts', import.meta.url))
    this.#child = fork(program, { execArgv: ['--conditions=petals-chat-source', '--expose-gc'] })
  }

  async ask(asked: AskedOfClient): Promise<ClientReport> {
    const ended = once(this.#child, 'exit').then(([code, signal]: unknown[]) => {
      throw new Error(`The client process ended with ${code ?? signal}.`)
    })
    ended.catch(() => {})
    this.#child.send(asked)
    const answer = once(this.#child, 'message') as Promise<[ClientReport | { readonly error: string }]>
    const [report] = await Promise.race([answer, ended])
    if ('error' in report) throw new Error(report.error)
    return report
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }
}
