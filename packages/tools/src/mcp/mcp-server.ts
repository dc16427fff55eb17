import { abortable, CallSlots, type Logger, type ToolListOptions, type ToolSource } from '@petals-chat/engine'
import { bounds, cut } from '../bounds.ts'
import type { McpServerConfig } from '../config.ts'
import { type RawCallOptions, type RawResult, ToolFailure, type ToolServer } from '../tool-server.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { describeProblem } from './describe-problem.ts'
import { resultText } from './result-text.ts'

export interface McpServerOptions extends Omit<ConnectionOptions, 'signal'> {
  readonly logger: Logger
}

/** An MCP server of the configuration. It is connected when it is first needed, and again when it has gone or forgets. */
export class McpServer implements ToolServer {
  readonly #config: McpServerConfig
  readonly #options: McpServerOptions
  readonly #secrets: readonly string[]
  #connection: Connection | undefined
  #connecting: Promise<Connection> | undefined
  #problem: string | undefined
  #failedAt = -Infinity
  readonly #closing = new AbortController()
  readonly #slots = new CallSlots(bounds.callsOfServer)

  constructor(config: McpServerConfig, options: McpServerOptions) {
    this.#config = config
    this.#options = options
    this.#secrets = Object.values(config.headers)
      .flatMap((value) => [value, ...value.split(' ')])
      .filter(({ length }) => length >= 4)
  }

  get name(): string {
    return this.#config.name
  }

  async look({ signal, waitMs = bounds.connectMs * 2 }: ToolListOptions): Promise<ToolSource> {
    const ready = this.#ready().then(
      () => {},
      () => {},
    )
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, waitMs)
    try {
      await abortable(Promise.race([ready, late]), signal)
    } finally {
      clearTimeout(timer)
    }
    return this.#source()
  }

  #source(): ToolSource {
    const { name } = this
    const connection = this.#connection
    if (connection === undefined) {
      const state = this.#connecting === undefined ? 'unreachable' : 'connecting'
      return { name, builtIn: false, state, problem: this.#problem, tools: [] }
    }
    const { title, problem, tools } = connection
    return {
      name,
      title: title === undefined ? undefined : cut(title, bounds.nameChars),
      builtIn: false,
      state: 'ready',
      problem: problem === undefined ? undefined : `Of the MCP server '${name}', ${problem}.`,
      tools: tools.map(({ tool }) => tool),
    }
  }

  async call(
    ownName: string,
    input: Readonly<Record<string, unknown>>,
    options: RawCallOptions,
  ): Promise<RawResult> {
    using _place = await this.#place(options)
    return await this.#call(ownName, input, options)
  }

  /** Waits for the turn of a call as long as the call may take. @throws the signal's reason; ToolFailure */
  async #place({ signal, timeoutMs }: RawCallOptions): Promise<Disposable> {
    const busy = `The MCP server '${this.name}' is busy with ${bounds.callsOfServer} other calls. Try again.`
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new ToolFailure(busy)), timeoutMs)
    try {
      return await this.#slots.enter(this.name, signal ? AbortSignal.any([signal, late.signal]) : late.signal)
    } finally {
      clearTimeout(timer)
    }
  }

  async #call(
    ownName: string,
    input: Readonly<Record<string, unknown>>,
    options: RawCallOptions,
  ): Promise<RawResult> {
    const { signal } = options
    for (let attempt = 1; ; attempt++) {
      const connection = this.#connection ?? (await abortable(this.#ready(), signal))
      try {
        return resultText(await connection.call(ownName, input, options))
      } catch (error) {
        signal?.throwIfAborted()
        const isLost = connection.hasLostSession(error)
        if (isLost || connection.broken || isUnreachable(error)) this.#drop(connection)
        if (isLost && attempt === 1) continue
        throw new ToolFailure(this.#sentence(connection.broken ?? error), { cause: error })
      }
    }
  }

  /** @throws ToolFailure if there is no connection with a list */
  #ready(): Promise<Connection> {
    const connection = this.#connection
    if (connection !== undefined && !connection.isStale) return Promise.resolve(connection)
    return (this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined)))
  }

  async #connect(): Promise<Connection> {
    const old = this.#connection
    if (old !== undefined) {
      try {
        await old.list()
        return old
      } catch {
        this.#drop(old)
      }
    }
    if (this.#closing.signal.aborted) throw new ToolFailure('The server is shutting down.')
    if (performance.now() - this.#failedAt < bounds.retryMs) throw new ToolFailure(this.#problem)
    try {
      const { signal } = this.#closing
      const connection = await Connection.open(this.#config, { ...this.#options, signal })
      this.#problem = undefined
      return (this.#connection = connection)
    } catch (error) {
      this.#failedAt = performance.now()
      this.#problem = this.#sentence(error)
      this.#options.logger.warn({ server: this.name }, this.#problem)
      throw new ToolFailure(this.#problem, { cause: error })
    }
  }

  #drop(connection: Connection): void {
    if (this.#connection === connection) this.#connection = undefined
    void connection.close()
  }

  #sentence(error: unknown): string {
    if (error instanceof ToolFailure) return error.message
    return `The MCP server '${this.name}' can’t be used: ${describeProblem(error, this.#secrets)}.`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new ToolFailure('The server is shutting down.'))
    await this.#connecting?.catch(() => {})
    await this.#connection?.close()
    this.#connection = undefined
  }
}

/** Whether the server may have gone, so that a new connection is needed: the request did not get an answer. */
const isUnreachable = (error: unknown): boolean =>
  error instanceof Error && (error instanceof TypeError || error.cause instanceof TypeError)
