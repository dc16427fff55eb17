import { setTimeout as sleep } from 'node:timers/promises'
import {
  abortable,
  GenerationFailedError,
  ModelUnavailableError,
  type AbortOptions,
  type Logger,
  type ModelStatus,
} from '@petals-chat/engine'
import type { LlamaConfig } from '../config.ts'
import type {
  Command,
  LoadCommand,
  LoadFailedMessage,
  Message,
  ReadyMessage,
  TokenChoice,
} from '../protocol.ts'
import { EndlessGrammars } from './endless-grammars.ts'
import { describeLoadFailure } from './load-failure.ts'
import type { ProcessSource } from './process-source.ts'
import { Readiness } from './readiness.ts'
import { ProcessReplaced, RequestFailed, Requests, type Reply, type RequestListener } from './requests.ts'
import { RestartPolicy } from './restart-policy.ts'
import { Watchdog } from './watchdog.ts'
import type { WorkerProcess } from './worker-process.ts'

export interface ModelWorkerOptions {
  /** For messages. */
  readonly modelId: string
  readonly config: LlamaConfig
  readonly processes: ProcessSource
  readonly logger: Logger
  readonly onRestart: () => void
}

type LoadRequest = Pick<LoadCommand, 'path' | 'facts'>

/** How many times longer a process may be silent while it loads: opening a GPU driver blocks it. */
const LOAD_PATIENCE = 6

/** A step or choice that takes this long delays all answers: the status reports it, although the process is not ended yet. */
const OVERDUE_MS = 10_000
/** A process that computes answers pings at once: this long without an answer, it hangs or is stopped. */
const SILENT_MS = 2000

/** Owns the child process of one model: starts it, loads the model, watches the process, and restarts it when it dies. */
export class ModelWorker implements AsyncDisposable {
  readonly #options: ModelWorkerOptions
  readonly #requests = new Requests()
  readonly #policy: RestartPolicy
  readonly #readiness = new Readiness()
  readonly #endlessGrammars: EndlessGrammars
  readonly #closing = new AbortController()
  #process: WorkerProcess
  #watchdog: Watchdog | undefined
  #load: LoadCommand | undefined
  #onProgress: ((fraction: number) => void) | undefined
  #generation = 0
  /** True while the process is being replaced because of a request's grammar. */
  #isReplacement = false

  /** Starts the process, which prepares itself for `load`. */
  constructor(options: ModelWorkerOptions) {
    const { maxRestarts, choiceTimeoutMs } = options.config
    this.#options = options
    this.#policy = new RestartPolicy(maxRestarts)
    this.#endlessGrammars = new EndlessGrammars(choiceTimeoutMs)
    this.#process = this.#spawn()
  }

  /** Counts the processes so far: the KV cache of an earlier one is lost. */
  get generation(): number {
    return this.#generation
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Loads the model for the first time. @throws ModelUnavailableError */
  async load(
    request: LoadRequest,
    onProgress: (fraction: number) => void,
    { signal }: AbortOptions,
  ): Promise<ReadyMessage> {
    this.#load = { type: 'load', ...request }
    this.#onProgress = onProgress
    this.send(this.#load)
    const ready = await abortable(this.#readiness.promise, signal)
    // A restarted process must offer what the first one did, and need not measure it again.
    const { sequences, contextLength, stepTimes, rewinds } = ready
    this.#load = { ...this.#load, earlier: { sequences, contextLength, stepTimes, rewinds } }
    return ready
  }

  /** Resolves when the model can be used; after a crash, when the next process has loaded it. @throws ModelUnavailableError */
  async ready({ signal }: AbortOptions = {}): Promise<void> {
    this.#closing.signal.throwIfAborted()
    if (this.#readiness.state === 'failed' && this.#policy.cooldown() === 0) this.#restart(0)
    await abortable(this.#readiness.promise, signal)
  }

  status(): ModelStatus {
    if (this.#closing.signal.aborted) return { state: 'unavailable', detail: 'The model is unloaded.' }
    const { state, failure } = this.#readiness
    if (state === 'ready') return this.#readyStatus()
    if (state === 'failed') return { state: 'unavailable', detail: failure }
    return { state: 'degraded', detail: "The model's process has died and is being restarted." }
  }

  #readyStatus(): ModelStatus {
    const { stepMs = 0, silentMs = 0 } = this.#watchdog ?? {}
    const seconds = (ms: number) => Math.round(ms / 1000)
    if (silentMs >= SILENT_MS)
      return {
        state: 'degraded',
        detail: `The model's process has not answered for ${seconds(silentMs)} s.`,
      }
    if (stepMs < OVERDUE_MS) return { state: 'ready' }
    return {
      state: 'degraded',
      detail: `The model has been computing a single step for ${seconds(stepMs)} s.`,
    }
  }

  /** Sends a request and returns its number. The listener receives everything about it. */
  open(build: (request: number) => Command, listener: RequestListener): number {
    const request = this.#requests.add(listener)
    this.send(build(request))
    return request
  }

  send(command: Command): void {
    this.#process.send(command)
  }

  /** Sends a request that has a single reply. @throws RequestFailed, or GenerationFailedError if the process dies. */
  call(build: (request: number) => Command): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.open(build, {
        onReply: (reply) => (reply.type === 'failed' ? reject(new RequestFailed(reply)) : resolve(reply)),
        onLost: reject,
      })
    })
  }

  /** As `call`, as soon as the model can be used, and once more if the process is replaced: for requests that need no slot. */
  async ask(build: (request: number) => Command, options: AbortOptions): Promise<Reply> {
    const attempt = async () => {
      await this.ready(options)
      return abortable(this.call(build), options.signal)
    }
    return attempt().catch((error: unknown) => {
      if (error instanceof ProcessReplaced) return attempt()
      throw error
    })
  }

  /** @throws InvalidRequestError for a grammar that has hung a process before. */
  checkGrammar(source: string | undefined): void {
    this.#endlessGrammars.check(source)
  }

  #spawn(): WorkerProcess {
    const { logger, processes } = this.#options
    const spawned: WorkerProcess = processes.start({
      onMessage: (message) => spawned === this.#process && this.#receive(message),
      onExit: (how) => spawned === this.#process && this.#exited(how),
      onOutput: (line) => logger.debug({ pid: spawned.pid, line }, "The model's process printed a line."),
    })
    this.#watch(spawned, LOAD_PATIENCE)
    return spawned
  }

  #receive(message: Message): void {
    this.#watchdog?.heard()
    this.#requests.heard()
    switch (message.type) {
      case 'ready':
        return this.#becameReady(message)
      case 'load-failed':
        return this.#loadFailed(message)
      case 'progress':
        return this.#onProgress?.(message.fraction)
      case 'pong':
        return this.#watchdog?.pong(message)
      case 'log':
        return this.#options.logger[message.level]({ text: message.text }, 'llama.cpp wrote a message.')
      default:
        this.#requests.deliver(message)
    }
  }

  #becameReady(ready: ReadyMessage): void {
    const { modelId, logger, processes } = this.#options
    if (this.#readiness.state === 'restarting')
      logger.info({ model: modelId }, `The model '${modelId}' is ready again.`)
    this.#onProgress = undefined
    this.#watch(this.#process, 1)
    this.#readiness.becomeReady(ready)
    processes.keepSpare()
  }

  #watch(process: WorkerProcess, patience: number): void {
    const { unresponsiveTimeoutMs, stepTimeoutMs, choiceTimeoutMs } = this.#options.config
    this.#watchdog?.[Symbol.dispose]()
    this.#watchdog = new Watchdog({
      unresponsiveTimeoutMs: unresponsiveTimeoutMs * patience,
      stepTimeoutMs,
      choiceTimeoutMs,
      ping: () => process.send({ type: 'ping' }),
      onHung: (how, choice) => {
        // New requests wait for the next process.
        if (this.#readiness.state === 'ready') this.#readiness.becomeRestarting()
        if (choice?.hasGrammar) this.#blame(choice)
        void process.kill(how)
      },
    })
  }

  /** Fails the request whose grammar hung the process. The others may run again: the new process will not see that grammar. */
  #blame({ request }: TokenChoice): void {
    const owner = this.#requests.take(request)
    if (owner?.grammar !== undefined) this.#endlessGrammars.add(owner.grammar)
    owner?.onLost(this.#endlessGrammars.error())
    const message = `Generation failed: the process of the model '${this.#options.modelId}' was replaced because another request hung it. Try again in a moment.`
    this.#requests.loseAll(new ProcessReplaced(message, { isUnseen: false }))
    this.#isReplacement = true
  }

  #loadFailed(message: LoadFailedMessage): void {
    if (this.#readiness.state === 'starting') {
      this.#readiness.fail(describeLoadFailure(this.#options.modelId, this.#options.config, message))
    }
    void this.#process.kill(`could not load the model (${message.text})`)
  }

  #exited(how: string): void {
    this.#watchdog?.[Symbol.dispose]()
    this.#watchdog = undefined
    this.#generation++
    this.#loseRequests(how)
    if (this.#closing.signal.aborted) return
    const { state } = this.#readiness
    if (state === 'starting') this.#readiness.fail(this.#loadError(how))
    else if (state !== 'failed') this.#replace(how)
  }

  #loseRequests(how: string): void {
    const message = `Generation failed: the process of the model '${this.#options.modelId}' ${how}. Try again in a moment.`
    // Requests that came while a process was being ended for a grammar did not cause that either.
    const error = this.#isReplacement
      ? new ProcessReplaced(message, { isUnseen: false })
      : new GenerationFailedError(message)
    this.#requests.loseAll(error, new ProcessReplaced(message, { isUnseen: true }))
  }

  #loadError(how: string): ModelUnavailableError {
    return new ModelUnavailableError(
      `The model '${this.#options.modelId}' can't be loaded: its process ${how}.`,
    )
  }

  #replace(how: string): void {
    const { modelId, logger } = this.#options
    // A client's grammar must not use up the restarts that are meant for faults.
    const delayMs = this.#isReplacement ? 0 : this.#policy.next()
    this.#isReplacement = false
    logger.error({ model: modelId, delayMs }, `The model's process ${how}.`)
    if (delayMs === undefined) this.#giveUp(how)
    else this.#restart(delayMs)
  }

  #giveUp(how: string): void {
    const { modelId, config } = this.#options
    this.#readiness.fail(
      new ModelUnavailableError(
        `The model '${modelId}' is unavailable: its process has died more than ${config.maxRestarts} times within ` +
          `ten minutes (the last one ${how}). The next attempt is possible after a minute; the log has the details.`,
      ),
    )
  }

  #restart(delayMs: number): void {
    this.#readiness.becomeRestarting()
    void sleep(delayMs, undefined, { signal: this.#closing.signal }).then(
      () => {
        this.#options.onRestart()
        this.#process = this.#spawn()
        if (this.#load) this.send(this.#load)
      },
      () => {}, // closed in the meantime
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new ModelUnavailableError(`The model '${this.#options.modelId}' is unloaded.`)
    this.#closing.abort(closed)
    this.#readiness.close(closed)
    this.#watchdog?.[Symbol.dispose]()
    this.#requests.loseAll(closed)
    await this.#process.kill('was ended')
  }
}
