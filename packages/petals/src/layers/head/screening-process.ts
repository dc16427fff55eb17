import { fork, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { abortable, childEnvironment, endWithThisProcess, type AbortOptions } from '@petals-chat/engine'
import { usableLibraries } from '@petals-chat/ggml'
import { FrameReader } from './frame-reader.ts'
import type { QuantizedLayout } from './quantized-matrix.ts'
import {
  answerBytes,
  decodeAnswer,
  encodeRequest,
  pipeDescriptor,
  type ScreenedPosition,
} from './screening-frames.ts'
import type { ScreeningMessage, ScreeningRequest, ScreeningSetup } from './screening.ts'

/** Unbuilt sources run under this export condition, which the child process needs, too. */
const runsFromSource = import.meta.url.endsWith('.ts')
const entry = fileURLToPath(new URL(`screening-child.${runsFromSource ? 'ts' : 'js'}`, import.meta.url))
const execArgv = runsFromSource ? ['--conditions=petals-chat-source'] : []

/** libuv's threads compute. It has four if nothing else is said. They sleep, and take no memory before they are used. */
const poolSize = (): string => String(Math.max(4, availableParallelism()))

/** A process, and the libraries that it loads before it has a setup. */
interface StartedProcess {
  readonly child: ChildProcess
  readonly libraries: string | undefined
  /** Returns why ggml or Node ended it, to add to a sentence. */
  readonly lastWords: () => string
}

function startProcess(libraries: string | undefined): StartedProcess {
  const child = fork(entry, libraries === undefined ? [] : [libraries], {
    execArgv,
    env: { ...childEnvironment(), UV_THREADPOOL_SIZE: poolSize() },
    serialization: 'advanced',
    // On Windows, an ordinary pipe could not be read and written at the same time.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'overlapped'],
  })
  endWithThisProcess(child)
  const lastWords = readErrors(child)
  rest(child)
  return { child, libraries, lastWords }
}

/** Lets this process end while the child is idle; the child then ends, too. */
function rest(child: ChildProcess): void {
  child.unref()
  child.channel?.unref()
  pipeOf(child)?.unref()
}

/** The pipe of requests and answers. There is none if the process could not be started. */
const pipeOf = (child: ChildProcess): Socket | undefined =>
  (child.stdio as ChildProcess['stdio'] | undefined)?.[pipeDescriptor] as Socket | undefined

/** Characters of a process's standard error that are kept: what ggml prints before it aborts. */
const keptLength = 4000

/** Reads what the process prints, or else it would wait when the pipe is full. */
function readErrors(child: ChildProcess): () => string {
  let printed = ''
  // There is none if the process could not be started: its 'error' event tells why.
  const pipe = child.stderr as Socket | undefined
  pipe?.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-keptLength)))
  // A pipe alone would keep this process alive.
  pipe?.unref()
  return () => {
    const reason = /^.*(?:GGML_ASSERT|Error:).*$/m.exec(printed)?.[0].trim()
    return reason === undefined ? '' : `: ${reason}`
  }
}

function work(child: ChildProcess): void {
  child.ref()
  child.channel?.ref()
  pipeOf(child)?.ref()
}

/** A process that waits for its setup. */
let spare: StartedProcess | undefined

/** Starts a process that loads llama.cpp's libraries, for which it needs no model. The next `ScreeningProcess.start` uses it. */
export function prepareScreeningProcess(): void {
  if (spare) return
  const started = (spare = startProcess(usableLibraries().folder))
  const forget = (): void => {
    if (spare === started) spare = undefined
  }
  // The next start then reports the reason.
  started.child.once('error', forget)
  started.child.once('exit', forget)
}

/** Returns the spare process if it has loaded these libraries, or else a new one. */
function takeProcess(libraries: string | undefined): StartedProcess {
  if (!spare || spare.libraries !== libraries) return startProcess(libraries)
  const taken = spare
  spare = undefined
  return taken
}

/** Ends the spare process if it is not needed: it takes some tens of megabytes. */
export function endSpareScreeningProcess(): void {
  spare?.child.kill('SIGKILL')
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
  readonly #pipe: Socket | undefined
  readonly #answers: FrameReader | undefined
  readonly #layout: QuantizedLayout
  /** Is settled by an answer, by what the process says over IPC, and by its end. */
  #pending = Promise.withResolvers<Uint8Array | undefined>()
  #end: Error | undefined

  private constructor(setup: ScreeningSetup) {
    const { child, lastWords } = takeProcess(setup.libraries)
    this.#child = child
    this.#layout = setup.layout
    this.#pipe = pipeOf(child)
    // If the process has ended, its 'exit' event reports it.
    this.#pipe?.on('error', () => {})
    this.#answers = this.#pipe && new FrameReader(this.#pipe)
    this.#child.on('message', (message: ScreeningMessage) => {
      if (message.type === 'failed') this.#pending.reject(new Error(message.reason))
      else this.#pending.resolve(undefined)
    })
    this.#child.on('error', (error) => this.#ended(`could not be started: ${error.message}`))
    this.#child.on('exit', (code, signal) =>
      this.#ended(`has ended (${signal ?? `exit code ${code}`})${lastWords()}`),
    )
    // The caller that waits for an answer handles the error.
    this.#pending.promise.catch(() => {})
    this.#send(setup)
  }

  /** Loads the weights. @throws Error with the reason of the process; the signal's reason */
  static async start(setup: ScreeningSetup, { signal }: AbortOptions = {}): Promise<ScreeningProcess> {
    signal?.throwIfAborted()
    const started = new ScreeningProcess(setup)
    try {
      await abortable(started.#settled(), signal)
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

  /** Returns the estimates of each position. @throws ScreeningProcessEndedError; Error with the reason of the process */
  async run(request: ScreeningRequest): Promise<readonly ScreenedPosition[]> {
    if (this.#end) throw this.#end
    const { rows, columns } = this.#layout
    this.#pending = Promise.withResolvers()
    work(this.#child)
    this.#pipe!.write(encodeRequest(request, columns))
    const length = answerBytes(request.inputs.length / columns, rows)
    void this.#answers!.read(length).then(this.#pending.resolve)
    return decodeAnswer((await this.#settled())!, rows)
  }

  /** Kills the process at once, even during a pass: it has nothing to save. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end) return
    work(this.#child)
    this.#child.kill('SIGKILL')
    await this.#exited.promise
  }

  #send(message: ScreeningSetup): void {
    work(this.#child)
    // If the process has ended, its 'exit' event reports it.
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  #ended(how: string): void {
    this.#end ??= new ScreeningProcessEndedError(`The process of the LM head ${how}.`)
    this.#pending.reject(this.#end)
    this.#exited.resolve()
  }

  async #settled(): Promise<Uint8Array | undefined> {
    try {
      return await this.#pending.promise
    } finally {
      rest(this.#child)
    }
  }
}
