import { abortable, type AbortOptions, type Logger } from '@petals-chat/engine'
import { RestartPolicy } from '@petals-chat/llama'
import type { Command, LoadCommand, Message, ReadyMessage } from '../protocol.ts'
import { BlockProcess } from './block-process.ts'
import { EngineEndedError } from './errors.ts'

export interface BlockClientOptions {
  readonly load: LoadCommand
  readonly maxRestarts: number
  /** How long a process that has loaded the blocks may answer nothing at all. */
  readonly unresponsiveMs: number
  /** How long a process that loads the blocks may make no progress. */
  readonly loadStallMs: number
  readonly logger: Logger
  readonly onProgress: (fraction: number) => void
  /** The process has ended: the caches that it had are gone. */
  readonly onLost: () => void
  /** The process has loaded the blocks, the first one or one that was started again. */
  readonly onReady: () => void
}

interface Pending {
  readonly resolve: (states: Float32Array | undefined) => void
  readonly reject: (error: Error) => void
}

type Request = Exclude<Command, LoadCommand | { readonly type: 'cancel' | 'ping' }>

/** Times that a process is looked after in vain before it counts as hung. They are counted: a machine may have been asleep. */
const patience = 5

/** The process that computes, started again when it dies; requests and their replies. */
export class BlockClient implements AsyncDisposable {
  readonly #options: BlockClientOptions
  readonly #policy: RestartPolicy
  readonly #pending = new Map<number, Pending>()
  readonly #ended = Promise.withResolvers<Error>()
  #ready = Promise.withResolvers<ReadyMessage>()
  #isReady = false
  #isClosed = false
  #hasBeenReady = false
  #process: BlockProcess
  #timer: NodeJS.Timeout | undefined
  #watch: NodeJS.Timeout | undefined
  #unanswered = 0
  #loaded = 0
  #requests = 0
  #generation = 0

  constructor(options: BlockClientOptions) {
    this.#options = options
    this.#policy = new RestartPolicy(options.maxRestarts)
    this.#ready.promise.catch(() => {})
    this.#process = this.#start()
  }

  /** Counts the processes so far: the caches of an earlier one are lost. */
  get generation(): number {
    return this.#generation
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Resolves when the process has ended for good. */
  get ended(): Promise<Error> {
    return this.#ended.promise
  }

  /** Resolves when the blocks are loaded. @throws EngineEndedError if they can't be, the reason of the signal */
  ready({ signal }: AbortOptions = {}): Promise<ReadyMessage> {
    return abortable(this.#ready.promise, signal)
  }

  nextRequest(): number {
    return this.#requests++
  }

  /** Sends a request. An abort cancels it. @throws EngineEndedError, Error with llama.cpp's words, the reason of the signal */
  async call(command: Request, { signal }: AbortOptions = {}): Promise<Float32Array | undefined> {
    signal?.throwIfAborted()
    if (!this.#isReady)
      throw new EngineEndedError('The process that computes the blocks is being started again.')
    const { request } = command
    const { promise, resolve, reject } = Promise.withResolvers<Float32Array | undefined>()
    this.#pending.set(request, { resolve, reject })
    this.#process.send(command)
    try {
      return await abortable(promise, signal)
    } catch (error) {
      if (this.#pending.delete(request)) {
        promise.catch(() => {})
        this.#process.send({ type: 'cancel', request })
      }
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#ready.reject(new EngineEndedError('The engine is closed.'))
    await this.#process.kill('was ended')
  }

  #start(): BlockProcess {
    const { load, logger } = this.#options
    const process: BlockProcess = new BlockProcess({
      onMessage: (message) => this.#receive(message),
      onExit: (how) => this.#exited(how),
      onOutput: (line) =>
        logger.debug({ pid: process.pid, line }, 'The process of the blocks printed a line.'),
    })
    process.send(load)
    this.#loaded = 0
    this.#watchBy(() => this.#checkLoading(), this.#options.loadStallMs)
    return process
  }

  #receive(message: Message): void {
    this.#unanswered = 0
    switch (message.type) {
      case 'progress':
        this.#loaded = message.fraction
        return this.#options.onProgress(message.fraction)
      case 'ready':
        return this.#becameReady(message)
      case 'load-failed':
        return void this.#process.kill(`could not load the blocks: ${message.text}`)
      case 'done':
        return this.#take(message.request)?.resolve(message.states)
      case 'failed':
        return this.#take(message.request)?.reject(new Error(message.text))
      case 'pong':
        return
      case 'hung': {
        const seconds = Math.round(message.limitMs / 1000)
        const why = `it had computed for more than ${seconds} s, many times as long as those before it`
        return void this.#process.kill(`was ended: a step hung (${why})`)
      }
    }
  }

  #becameReady(message: ReadyMessage): void {
    if (this.#hasBeenReady) this.#options.logger.info({}, 'The blocks are loaded again.')
    this.#hasBeenReady = true
    this.#isReady = true
    this.#ready.resolve(message)
    this.#options.onReady()
    this.#watchBy(() => this.#ping(), this.#options.unresponsiveMs)
  }

  /** Looks after the process often enough to find in time that it hangs. */
  #watchBy(check: () => void, limitMs: number): void {
    clearInterval(this.#watch)
    this.#unanswered = 0
    this.#watch = setInterval(check, limitMs / patience).unref()
  }

  #ping(): void {
    if (this.#unanswered++ < patience) return this.#process.send({ type: 'ping' })
    const seconds = Math.round(this.#options.unresponsiveMs / 1000)
    void this.#process.kill(`was ended: it had not answered for ${seconds} s`)
  }

  /** Whatever loading waits for, a disk or a device: a process that reports nothing new is ended. */
  #checkLoading(): void {
    if (this.#unanswered++ < patience) return
    const seconds = Math.round(this.#options.loadStallMs / 1000)
    const percent = Math.floor(this.#loaded * 100)
    void this.#process.kill(
      `was ended: loading the blocks stood still for ${seconds} s, at ${percent} % of their weights. ` +
        'Check that the disk with the files of the model can be read, and that the device works',
    )
  }

  #take(request: number): Pending | undefined {
    const pending = this.#pending.get(request)
    this.#pending.delete(request)
    return pending
  }

  #exited(how: string): void {
    const error = new EngineEndedError(`The process that computes the blocks ${how}.`)
    this.#generation++
    if (this.#isReady) {
      this.#ready = Promise.withResolvers()
      this.#ready.promise.catch(() => {})
    }
    this.#isReady = false
    clearInterval(this.#watch)
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
    this.#options.onLost()
    if (this.#isClosed) this.#ready.reject(new EngineEndedError('The engine is closed.'))
    else if (this.#hasBeenReady) this.#restart(error)
    else this.#giveUp(error)
  }

  #restart(error: EngineEndedError): void {
    const delayMs = this.#policy.next()
    this.#options.logger.error({ err: error, delayMs }, error.message)
    if (delayMs === undefined) this.#giveUp(error)
    else this.#timer = setTimeout(() => (this.#process = this.#start()), delayMs)
  }

  #giveUp(error: EngineEndedError): void {
    this.#ready.reject(error)
    this.#ended.resolve(error)
  }
}
