import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { abortable, childEnvironment, endWithThisProcess, type AbortOptions } from '@petals-chat/engine'
import type { ScreeningAnswer, ScreeningMessage, ScreeningRequest, ScreeningSetup } from './screening.ts'

/** Unbuilt sources run under this export condition, which the child process needs, too. */
const runsFromSource = import.meta.url.endsWith('.ts')
const entry = fileURLToPath(new URL(`screening-child.${runsFromSource ? 'ts' : 'js'}`, import.meta.url))
const execArgv = runsFromSource ? ['--conditions=petals-chat-source'] : []

/** Without the variable, onnxruntime sends telemetry to its maker when it is loaded. */
const environment = (): NodeJS.ProcessEnv => ({ ...childEnvironment(), ORT_DISABLE_TELEMETRY: '1' })

function startChild(): ChildProcess {
  const child = fork(entry, [], {
    execArgv,
    env: environment(),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  endWithThisProcess(child)
  rest(child)
  return child
}

/** Lets this process end while the child is idle; the child then ends, too. */
function rest(child: ChildProcess): void {
  child.unref()
  child.channel?.unref()
}

function work(child: ChildProcess): void {
  child.ref()
  child.channel?.ref()
}

/** A process that loads onnxruntime and waits for its setup. */
let spare: ChildProcess | undefined

/** Starts a process that loads onnxruntime, for which it needs no model. The next `ScreeningProcess.start` uses it. */
export function prepareScreeningProcess(): void {
  if (spare) return
  const child = (spare = startChild())
  const forget = (): void => {
    if (spare === child) spare = undefined
  }
  // The next start then reports the reason.
  child.once('error', forget)
  child.once('exit', forget)
}

/** Ends the spare process if it is not needed: it takes some tens of megabytes. */
export function endSpareScreeningProcess(): void {
  spare?.kill('SIGKILL')
  spare = undefined
}

/** The process crashed, was killed, or could not be started. A new one may do the work. */
export class ScreeningProcessEndedError extends Error {
  override readonly name = 'ScreeningProcessEndedError'
}

/**
 * The process that multiplies 8-bit weights with hidden states, one pass at a time. Native code can end its process at any
 * moment, and terminating one of its threads ends the whole process. In a process of its own it can be killed at any time
 * without ending anything else.
 */
export class ScreeningProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #exited = Promise.withResolvers<void>()
  #pending = Promise.withResolvers<ScreeningMessage>()
  #end: Error | undefined

  private constructor(setup: ScreeningSetup) {
    this.#child = spare ?? startChild()
    spare = undefined
    this.#child.on('message', (message: ScreeningMessage) => this.#pending.resolve(message))
    this.#child.on('error', (error) => this.#ended(`could not be started: ${error.message}`))
    this.#child.on('exit', (code, signal) =>
      this.#ended(signal ? `has ended (${signal})` : `has ended (exit code ${code})`),
    )
    // The caller that waits for an answer handles the error.
    this.#pending.promise.catch(() => {})
    this.#send(setup)
  }

  /** Loads the weights. @throws Error with onnxruntime's reason; the signal's reason */
  static async start(setup: ScreeningSetup, { signal }: AbortOptions = {}): Promise<ScreeningProcess> {
    signal?.throwIfAborted()
    const started = new ScreeningProcess(setup)
    try {
      await abortable(started.#answer(), signal)
      return started
    } catch (error) {
      await started[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Undefined once the process has ended. */
  get pid(): number | undefined {
    return this.#end ? undefined : this.#child.pid
  }

  /** @throws ScreeningProcessEndedError; Error with onnxruntime's reason */
  async run(request: ScreeningRequest): Promise<ScreeningAnswer> {
    if (this.#end) throw this.#end
    this.#pending = Promise.withResolvers()
    this.#send(request)
    const message = await this.#answer()
    if (message.type === 'answer') return message
    throw new Error(`The process of the LM head sent '${message.type}' instead of an answer.`)
  }

  /** Kills the process at once, even during a pass: it has nothing to save. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end) return
    work(this.#child)
    this.#child.kill('SIGKILL')
    await this.#exited.promise
  }

  #send(message: ScreeningSetup | ScreeningRequest): void {
    work(this.#child)
    // If the process has ended, its 'exit' event reports it.
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  #ended(how: string): void {
    this.#end ??= new ScreeningProcessEndedError(`The process of the LM head ${how}.`)
    this.#pending.reject(this.#end)
    this.#exited.resolve()
  }

  async #answer(): Promise<ScreeningMessage> {
    try {
      const message = await this.#pending.promise
      if (message.type === 'failed') throw new Error(message.reason)
      return message
    } finally {
      rest(this.#child)
    }
  }
}
