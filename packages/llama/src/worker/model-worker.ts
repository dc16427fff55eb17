import { setTimeout as sleep } from 'node:timers/promises'
import {
  abortable,
  GenerationFailedError,
  InvalidRequestError,
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
import { describeLoadFailure } from './load-failure.ts'
import { ProcessReplaced, RequestFailed, Requests, type Reply, type RequestListener } from './requests.ts'
import { RecentSet } from './recent-set.ts'
import { RestartPolicy } from './restart-policy.ts'
import { Watchdog } from './watchdog.ts'
import { WorkerProcess } from './worker-process.ts'

export interface ModelWorkerOptions {
  /** For messages. */
  readonly modelId: string
  readonly config: LlamaConfig
  /** That this process may use. */
  readonly cores: number
  readonly logger: Logger
  readonly onRestart: () => void
}

type LoadRequest = Pick<LoadCommand, 'path' | 'facts'>

/** While it loads, a process may be silent for longer: opening a card's driver blocks it. */
const LOAD_PATIENCE = 6

/** A step or choice that takes so long holds up all answers: worth telling, though not yet a reason to end the process. */
const OVERDUE_MS = 10_000

/** Grammars that hung a process are remembered: each of them costs a process only once. */
const MAX_ENDLESS_GRAMMARS = 100

/** Keeps the process of one model: starts it, loads the model, watches it, and starts it again when it dies. */
export class ModelWorker implements AsyncDisposable {
  readonly #options: ModelWorkerOptions
  readonly #requests = new Requests()
  readonly #policy: RestartPolicy
  readonly #closing = new AbortController()
  #process: WorkerProcess
  #watchdog: Watchdog | undefined
  #load: LoadCommand | undefined
  #onProgress: ((fraction: number) => void) | undefined
  /** `failed` after a first load that failed, or when the process died too often. */
  #state: 'starting' | 'ready' | 'restarting' | 'failed' = 'starting'
  #ready = newPromise<ReadyMessage>()
  /** Why it is `failed`. */
  #failure: string | undefined
  #generation = 0
  /** The process is being replaced because of a request's grammar. */
  #isReplacement = false
  readonly #endlessGrammars = new RecentSet(MAX_ENDLESS_GRAMMARS)

  /** Starts the process, which makes itself ready for `load` meanwhile. */
  constructor(options: ModelWorkerOptions) {
    this.#options = options
    this.#policy = new RestartPolicy(options.config.maxRestarts)
    this.#process = this.#spawn()
  }

  /** Counts the processes so far: what was in the KV cache of an earlier one is lost. */
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
    const ready = await abortable(this.#ready.promise, signal)
    // A restart must give what was promised.
    const { sequences, contextLength } = ready
    this.#load = { ...this.#load, context: { sequences, contextLength } }
    return ready
  }

  /** Resolves when the model can be used; after a crash, when it is back. @throws ModelUnavailableError */
  async ready({ signal }: AbortOptions = {}): Promise<void> {
    this.#closing.signal.throwIfAborted()
    if (this.#state === 'failed' && this.#policy.cooldown() === 0) this.#restart(0)
    await abortable(this.#ready.promise, signal)
  }

  status(): ModelStatus {
    if (this.#closing.signal.aborted) return { state: 'unavailable', detail: 'The model is unloaded.' }
    if (this.#state === 'ready') return this.#readyStatus()
    if (this.#state === 'failed') return { state: 'unavailable', detail: this.#failure }
    return { state: 'degraded', detail: 'The process of the model has died and is being started again.' }
  }

  #readyStatus(): ModelStatus {
    const stepMs = this.#watchdog?.stepMs ?? 0
    if (stepMs < OVERDUE_MS) return { state: 'ready' }
    const seconds = Math.round(stepMs / 1000)
    return { state: 'degraded', detail: `The model has been computing a single step for ${seconds} s.` }
  }

  /** Sends a request and gives its number. What comes about it goes to the listener. */
  open(build: (request: number) => Command, listener: RequestListener): number {
    const request = this.#requests.add(listener)
    this.send(build(request))
    return request
  }

  send(command: Command): void {
    this.#process.send(command)
  }

  /** Sends a request with a single reply. @throws RequestFailed, GenerationFailedError if the process dies. */
  call(build: (request: number) => Command): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.open(build, {
        onReply: (reply) => (reply.type === 'failed' ? reject(new RequestFailed(reply)) : resolve(reply)),
        onLost: reject,
      })
    })
  }

  #spawn(): WorkerProcess {
    const { logger, config, cores } = this.#options
    const spawned: WorkerProcess = new WorkerProcess({
      onMessage: (message) => spawned === this.#process && this.#receive(message),
      onExit: (how) => spawned === this.#process && this.#exited(how),
      onOutput: (line) =>
        logger.debug({ pid: spawned.pid, line }, 'The process of the model printed a line.'),
    })
    spawned.send({ type: 'prepare', config, cores })
    this.#watch(spawned, LOAD_PATIENCE)
    return spawned
  }

  #receive(message: Message): void {
    this.#watchdog?.heard()
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
    const { modelId, logger } = this.#options
    if (this.#state === 'restarting') logger.info({ model: modelId }, `The model '${modelId}' is back.`)
    this.#state = 'ready'
    this.#onProgress = undefined
    this.#watch(this.#process, 1)
    this.#ready.resolve(ready)
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
        // Requests that come from now on wait for the next process.
        if (this.#state === 'ready') this.#becomeRestarting()
        if (choice?.hasGrammar) this.#blame(choice)
        void process.kill(how)
      },
    })
  }

  /** The grammar's owner is told; the other requests may run again, as the new process will not meet the grammar. */
  #blame({ request }: TokenChoice): void {
    const owner = this.#requests.take(request)
    if (owner?.grammar !== undefined) this.#endlessGrammars.add(owner.grammar)
    owner?.onLost(this.#tooComplex())
    const message = `The answer broke off: the process of the model '${this.#options.modelId}' was replaced because another request hung it. Ask again in a moment.`
    this.#requests.loseAll(new ProcessReplaced(message))
    this.#isReplacement = true
  }

  /** @throws InvalidRequestError for a grammar that has hung a process before. */
  checkGrammar(source: string | undefined): void {
    if (source !== undefined && this.#endlessGrammars.has(source)) throw this.#tooComplex()
  }

  #tooComplex(): InvalidRequestError {
    return new InvalidRequestError(
      `The grammar of the answer (a JSON schema, a tool or a pattern) is too complex: choosing one token took over ` +
        `${this.#options.config.choiceTimeoutMs} ms (llama.choiceTimeoutMs). Simplify it: nested or long repetitions of ` +
        'optional parts are what takes long.',
      { param: 'grammar' },
    )
  }

  #loadFailed(message: LoadFailedMessage): void {
    if (this.#state === 'starting') {
      this.#fail(describeLoadFailure(this.#options.modelId, this.#options.config, message))
    }
    void this.#process.kill(`could not load the model (${message.text})`)
  }

  #exited(how: string): void {
    const { modelId, logger } = this.#options
    this.#watchdog?.[Symbol.dispose]()
    this.#watchdog = undefined
    this.#generation++
    const message = `The answer broke off: the process of the model '${modelId}' ${how}. Ask again in a moment.`
    // Those that came while a process was being ended for its grammar had no part in it either.
    this.#requests.loseAll(
      this.#isReplacement ? new ProcessReplaced(message) : new GenerationFailedError(message),
    )
    if (this.#closing.signal.aborted || this.#state === 'failed') return
    if (this.#state === 'starting') {
      return this.#fail(
        new ModelUnavailableError(`The model '${modelId}' can't be loaded: its process ${how}.`),
      )
    }
    // A client's grammar must not use up the restarts that are meant for faults.
    const delayMs = this.#isReplacement ? 0 : this.#policy.next()
    this.#isReplacement = false
    logger.error({ model: modelId, delayMs }, `The process of the model ${how}.`)
    if (delayMs === undefined) this.#giveUp(how)
    else this.#restart(delayMs)
  }

  #giveUp(how: string): void {
    const { modelId, config } = this.#options
    this.#fail(
      new ModelUnavailableError(
        `The model '${modelId}' is unavailable: its process has died more than ${config.maxRestarts} times within ` +
          `ten minutes (the last one ${how}). It is tried again after a minute; the log says more.`,
      ),
    )
  }

  /** Whoever waits is told; who comes later, too. */
  #fail(error: Error): void {
    if (this.#state === 'ready') this.#ready = newPromise()
    this.#state = 'failed'
    this.#failure = error.message
    this.#ready.reject(error)
  }

  #becomeRestarting(): void {
    this.#ready = newPromise()
    this.#state = 'restarting'
  }

  #restart(delayMs: number): void {
    if (this.#state !== 'restarting') this.#becomeRestarting()
    void sleep(delayMs, undefined, { signal: this.#closing.signal }).then(
      () => {
        this.#options.onRestart()
        this.#process = this.#spawn()
        if (this.#load) this.send(this.#load)
      },
      () => {}, // closed meanwhile
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new ModelUnavailableError(`The model '${this.#options.modelId}' is unloaded.`)
    this.#closing.abort(closed)
    this.#ready.reject(closed)
    this.#watchdog?.[Symbol.dispose]()
    this.#requests.loseAll(closed)
    await this.#process.kill('was ended')
  }
}

/** Nobody need be waiting when it is rejected. */
function newPromise<T>(): PromiseWithResolvers<T> {
  const resolvers = Promise.withResolvers<T>()
  resolvers.promise.catch(() => {})
  return resolvers
}
