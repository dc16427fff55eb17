import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { abortable, type AbortOptions } from '@petals-chat/engine'
import type { ScreeningAnswer, ScreeningMessage, ScreeningRequest, ScreeningSetup } from './screening.ts'

/** The source runs unbuilt under this export condition, and so must the thread. */
const runsFromSource = import.meta.url.endsWith('.ts')
const entry = new URL(`screening-worker.${runsFromSource ? 'ts' : 'js'}`, import.meta.url)
const execArgv = runsFromSource ? ['--conditions=petals-chat-source'] : []

function startWorker(): Worker {
  const worker = new Worker(entry, { execArgv, name: 'lm-head' })
  worker.unref()
  return worker
}

/** A worker that loads onnxruntime and waits for its setup. */
let spare: Worker | undefined

/** Begins what every thread has to do at first and what needs nothing of a model; the next `start` finds it done. */
export function prepareScreeningThread(): void {
  if (spare) return
  const worker = (spare = startWorker())
  const forget = (): void => {
    if (spare === worker) spare = undefined
  }
  // Whoever starts a thread then finds out why.
  worker.once('error', forget)
  worker.once('exit', forget)
}

/** The thread that multiplies 8-bit weights with hidden states. One pass at a time. */
export class ScreeningThread implements AsyncDisposable {
  readonly #worker: Worker
  readonly #exited: Promise<unknown>
  #pending = Promise.withResolvers<ScreeningMessage>()
  #ended = false

  private constructor(setup: ScreeningSetup) {
    this.#worker = spare ?? startWorker()
    spare = undefined
    this.#worker.ref()
    this.#worker.postMessage(setup)
    this.#worker.on('message', (message: ScreeningMessage) => this.#pending.resolve(message))
    this.#worker.on('error', (error) => this.#pending.reject(error))
    this.#exited = once(this.#worker, 'exit').catch(() => {})
    void this.#exited.then(() => this.#end())
    // Who waits for an answer sees the error; without one there is nobody to tell.
    this.#pending.promise.catch(() => {})
  }

  /** Loads the weights. @throws Error with onnxruntime's reason; the signal's reason */
  static async start(setup: ScreeningSetup, { signal }: AbortOptions = {}): Promise<ScreeningThread> {
    const thread = new ScreeningThread(setup)
    try {
      await abortable(thread.#answer(), signal)
      return thread
    } catch (error) {
      await thread.#worker.terminate()
      throw error
    }
  }

  async run(request: ScreeningRequest): Promise<ScreeningAnswer> {
    this.#pending = Promise.withResolvers()
    if (this.#ended) this.#end()
    this.#worker.ref()
    this.#worker.postMessage(request, [request.inputs.buffer as ArrayBuffer])
    const message = await this.#answer()
    if (message.type === 'answer') return message
    throw new Error(`The thread of the LM head sent '${message.type}' for an answer.`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker.ref()
    this.#worker.postMessage('close')
    await this.#exited
  }

  #end(): void {
    this.#ended = true
    this.#pending.reject(new Error('The thread of the LM head has ended.'))
  }

  /** A thread at rest does not keep the process from ending. */
  async #answer(): Promise<ScreeningMessage> {
    try {
      const message = await this.#pending.promise
      if (message.type === 'failed') throw new Error(message.reason)
      return message
    } finally {
      this.#worker.unref()
    }
  }
}
