import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { defaultModelPath } from '../../support/model.ts'

const python = path.resolve('.cache', 'python', 'clients', 'bin', 'python')
const program = fileURLToPath(new URL('llama_server.py', import.meta.url))

/** The model's own template, with a place for thoughts. */
const thinkingTemplate = fileURLToPath(new URL('thinking-template.jinja', import.meta.url))

/** A server of llama.cpp with the default model, at an address that stays when it is killed and started again. */
export class LlamaServer implements AsyncDisposable {
  readonly url: string
  readonly #port: number
  readonly #options: readonly string[]
  #child: ChildProcess | undefined

  /** @param options - of `llama_server.py` */
  constructor(port: number, options: readonly string[] = ['--template', thinkingTemplate]) {
    this.#port = port
    this.#options = options
    this.url = `http://127.0.0.1:${port}`
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const model = await defaultModelPath()
    const args = [program, model, `${this.#port}`, ...this.#options]
    const child = spawn(python, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    let said = ''
    child.stderr!.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2_000)))
    while (!(await this.#isWell())) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`The server of llama.cpp ended: ${said}`)
      await sleep(50)
    }
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }

  /** It writes an answer. */
  async isWorking(): Promise<boolean> {
    const response = await fetch(`${this.url}/slots`)
    const slots = (await response.json()) as readonly { readonly is_processing: boolean }[]
    return slots.some(({ is_processing: isBusy }) => isBusy)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }

  async #isWell(): Promise<boolean> {
    return fetch(`${this.url}/health`).then(
      ({ ok }) => ok,
      () => false,
    )
  }
}
