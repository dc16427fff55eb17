import type { Logger } from '@petals-chat/engine'
import type { PrepareCommand } from '../protocol.ts'
import { WorkerProcess, type WorkerProcessHandlers } from './worker-process.ts'

export interface ProcessSourceOptions extends Omit<PrepareCommand, 'type'> {
  readonly logger: Logger
  /** How long after a model became ready the spare process is started, in milliseconds: its first answers come first. */
  readonly spareDelayMs?: number | undefined
}

const SPARE_DELAY_MS = 5000
/** Where it can't be had or keeps on dying, the pauses between attempts double up to this. */
const MAX_SPARE_DELAY_MS = 600_000
/** A spare process takes 40 MiB of memory; with less than this left, models and answers need it more. */
const MIN_AVAILABLE_BYTES = 512 * 2 ** 20

/**
 * Starts the processes of the local engine's models. One more than needed is kept, in which llama.cpp is opened and no model
 * loaded: a model whose process dies continues in it, without the second that starting and opening take.
 */
export class ProcessSource implements AsyncDisposable {
  readonly #options: ProcessSourceOptions
  #spare: WorkerProcess | undefined
  #timer: NodeJS.Timeout | undefined
  /** Spare processes that died, and attempts without enough memory, since one last served a model. */
  #failures = 0
  #closed = false

  constructor(options: ProcessSourceOptions) {
    this.#options = options
  }

  get sparePid(): number | undefined {
    return this.#spare?.pid
  }

  /** Returns a process that opens llama.cpp or has opened it: the spare one, if there is one. */
  start(handlers: WorkerProcessHandlers): WorkerProcess {
    const spare = this.#spare
    this.#spare = undefined
    if (!spare) return this.#spawn(handlers)
    this.#failures = 0
    spare.handOver(handlers)
    return spare
  }

  /** Starts a spare process in a moment, and another one whenever it has died; with little memory left, tries again later. */
  keepSpare(): void {
    const { spareDelayMs = SPARE_DELAY_MS } = this.#options
    if (this.#spare || this.#closed) return
    clearTimeout(this.#timer)
    const delayMs = Math.min(spareDelayMs * 2 ** this.#failures, MAX_SPARE_DELAY_MS)
    this.#timer = setTimeout(() => this.#startSpare(), delayMs).unref()
  }

  #startSpare(): void {
    if (this.#spare) return
    if (!hasMemory()) return this.#tryAgain()
    const spare: WorkerProcess = this.#spawn({
      onMessage: () => {},
      onOutput: () => {},
      onExit: (how) => {
        this.#options.logger.debug({ pid: spare.pid }, `The spare process ${how}.`)
        this.#spare = undefined
        this.#tryAgain()
      },
    })
    this.#spare = spare
  }

  #tryAgain(): void {
    this.#failures += 1
    this.keepSpare()
  }

  #spawn(handlers: WorkerProcessHandlers): WorkerProcess {
    const { config, cores } = this.#options
    const spawned = new WorkerProcess(handlers)
    spawned.send({ type: 'prepare', config, cores })
    return spawned
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#spare?.kill('was ended')
  }
}

/** macOS counts only memory that is entirely unused, which is always little. */
const hasMemory = (): boolean =>
  process.platform === 'darwin' || process.availableMemory() >= MIN_AVAILABLE_BYTES
