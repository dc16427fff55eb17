import { setTimeout as sleep } from 'node:timers/promises'
import {
  abortable,
  type AbortOptions,
  CapacityError,
  GenerationFailedError,
  type GenerationParams,
  type Logger,
  type ModelCapabilities,
  type ModelStatus,
  ModelUnavailableError,
  type RemoteAnswerOptions,
  type RemoteEvent,
  type RemoteModel,
  type RemoteRequest,
  type RemoteTokens,
} from '@petals-chat/engine'
import type { UpstreamModelSpec } from '../config.ts'
import { Failure } from '../http/failure.ts'
import type { HttpClient } from '../http/http-client.ts'
import type { ServerPool } from '../servers/server-pool.ts'
import type { UpstreamServer } from '../servers/server.ts'
import { estimatePrompt } from '../stream/answer-reader.ts'
import { attempt } from './attempt.ts'
import { tokenize } from './tokenize.ts'

export interface UpstreamModelOptions {
  readonly spec: UpstreamModelSpec
  /** Name of the model at the servers; undefined: the first that they list. */
  readonly name: string | undefined
  readonly pool: ServerPool
  readonly client: HttpClient
  readonly logger: Logger
}

/** The server enforces formats and counts log probabilities; whether it can, only it knows. */
const capabilities: ModelCapabilities = {
  grammar: true,
  logprobs: true,
  promptLogprobs: true,
  embeddings: false,
}

/** The first pause between two attempts at the same server; doubles with each further one. */
const FIRST_PAUSE_MS = 250
/** A server that wants to be left alone for longer is not waited for: its wish goes to the client. */
const LONGEST_PAUSE_MS = 3_000

/** A model that the servers of one entry run. */
export class UpstreamModel implements RemoteModel {
  readonly id: string
  readonly capabilities = capabilities
  readonly generation: GenerationParams | undefined
  readonly maxAnswers: number | undefined
  readonly fallback: string | undefined
  readonly #options: UpstreamModelOptions
  #isEstimateTold = false

  constructor(options: UpstreamModelOptions) {
    const { spec } = options
    this.id = spec.id
    this.maxAnswers = spec.maxAnswers
    this.fallback = spec.fallback
    this.#options = options
  }

  get contextLength(): number | undefined {
    const { spec, pool } = this.#options
    const name = this.#listedName()
    return spec.contextLength ?? (name === undefined ? undefined : pool.contextLength(name))
  }

  async *answer(
    request: RemoteRequest,
    { signal, via }: RemoteAnswerOptions = {},
  ): AsyncGenerator<RemoteEvent, void> {
    const { spec, pool, client } = this.#options
    const name = await this.#nameAtServer(signal)
    const tried = new Set<UpstreamServer>()
    for (let count = 0; ; count++) {
      if (pool.isDown && spec.fallback !== undefined) throw this.#down()
      const server = pool.choose(name, tried)
      let hasBegun = false
      try {
        using _use = server.use()
        for await (const event of attempt(request, { spec, name, client, server, signal, via })) {
          if (!hasBegun) pool.note(server, undefined)
          hasBegun = true
          this.#notice(event)
          yield event
        }
        return
      } catch (error) {
        signal?.throwIfAborted()
        const failure = this.#judge(error, server, hasBegun)
        tried.add(server)
        if (failure.retry === 'nowhere' || count >= spec.retries) throw failure.error
        await this.#pause(failure, tried, count, signal)
      }
    }
  }

  async tokenize(fields: RemoteRequest['fields'], { signal }: AbortOptions = {}): Promise<RemoteTokens> {
    const { spec, pool, client } = this.#options
    const name = this.#listedName()
    const found =
      name === undefined || pool.isDown
        ? undefined
        : await tokenize(
            { ...fields, model: name },
            { spec, client, server: pool.choose(name, new Set()), signal },
          )
    return found ?? { count: estimatePrompt(fields), tokens: [] }
  }

  async status(): Promise<ModelStatus> {
    return this.#options.pool.status(this.#options.name)
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #listedName(): string | undefined {
    const { name, pool } = this.#options
    return name ?? pool.offers[0]?.name
  }

  /** Waits for the first list if need be. @throws ModelUnavailableError if there is none: any other name would be made up */
  async #nameAtServer(signal: AbortSignal | undefined): Promise<string> {
    const known = this.#listedName()
    if (known !== undefined) return known
    await abortable(this.#options.pool.looked(), signal)
    const found = this.#listedName()
    if (found === undefined) throw this.#down()
    return found
  }

  /** Says once that a server does not count. */
  #notice(event: RemoteEvent): void {
    if (event.type !== 'end' || !event.usage.isEstimated || this.#isEstimateTold) return
    this.#isEstimateTold = true
    this.#options.logger.warn(
      {},
      'the server of the model counts no tokens: the usage of its answers is an estimate',
    )
  }

  /** What follows from a failed attempt. What the caller has seen can't be taken back. */
  #judge(error: unknown, server: UpstreamServer, hasBegun: boolean): Failure {
    if (!(error instanceof Failure)) throw error
    const { pool, logger } = this.#options
    if (error.serverProblem !== undefined) pool.note(server, error.serverProblem)
    logger.debug({ server: server.name, err: error.error }, 'a server of the model failed')
    if (!hasBegun) return error
    return new Failure(new GenerationFailedError(error.error.message, { cause: error.error }), {
      retry: 'nowhere',
    })
  }

  /** Another server can answer at once; the same one needs a moment. @throws the failure's error if that is too long */
  async #pause(
    failure: Failure,
    tried: ReadonlySet<UpstreamServer>,
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { pool, logger } = this.#options
    const isOther = pool.servers.some((server) => !tried.has(server) && server.problem === undefined)
    const pauseMs = isOther ? 0 : (failure.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** count)
    const isVain = !isOther && failure.retry === 'elsewhere'
    const isDown = pool.isDown && !(failure.error instanceof CapacityError) && count > 0
    if (pauseMs > LONGEST_PAUSE_MS || isDown || isVain) throw failure.error
    logger.warn(
      { err: failure.error },
      'the answer of another server failed before its first token: trying again',
    )
    await sleep(pauseMs, undefined, signal && { signal }).catch(() => signal?.throwIfAborted())
  }

  #down(): ModelUnavailableError {
    const { pool, name } = this.#options
    const { detail = 'Its server has not listed its models yet: try again later.' } = pool.status(name)
    return new ModelUnavailableError(`The model '${this.id}' is not available. ${detail}`)
  }
}
