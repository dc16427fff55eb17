import {
  abortable,
  type AbortOptions,
  type GenerationParams,
  type Logger,
  type ModelStatus,
  ModelUnavailableError,
  type RemoteAnswerOptions,
  type RemoteEmbeddingRequest,
  type RemoteEmbeddings,
  type RemoteEvent,
  type RemoteModel,
  type RemoteRequest,
  type RemoteTokens,
  type RemoteUsage,
} from '@petals-chat/engine'
import type { UpstreamModelSpec } from '../config.ts'
import type { HttpClient } from '../http/http-client.ts'
import type { ServerPool } from '../servers/server-pool.ts'
import type { UpstreamServer } from '../servers/server.ts'
import { estimatePrompt } from '../stream/answer-reader.ts'
import { attempt } from './attempt.ts'
import { embed } from './embed.ts'
import { tokenize } from './tokenize.ts'
import { tryServers } from './try-servers.ts'

export interface UpstreamModelOptions {
  readonly spec: UpstreamModelSpec
  /** Name of the model at the servers; undefined: the first that they list. */
  readonly name: string | undefined
  readonly pool: ServerPool
  readonly client: HttpClient
  readonly logger: Logger
}

/** A model that the servers of one entry run. */
export class UpstreamModel implements RemoteModel {
  readonly id: string
  readonly generation: GenerationParams | undefined
  readonly maxAnswers: number | undefined
  readonly #options: UpstreamModelOptions
  #isEstimateTold = false

  constructor(options: UpstreamModelOptions) {
    const { spec } = options
    this.id = spec.id
    this.maxAnswers = spec.maxAnswers
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
    const ask = (server: UpstreamServer) => {
      if (pool.isDown && spec.fallback !== undefined) throw this.#down()
      return attempt(request, { spec, name, client, server, signal, via })
    }
    for await (const event of tryServers(ask, { ...this.#options, name, signal })) {
      if (event.type === 'end') this.#notice(event.usage)
      yield event
    }
  }

  async embed(
    request: RemoteEmbeddingRequest,
    { signal, via }: RemoteAnswerOptions = {},
  ): Promise<RemoteEmbeddings> {
    const { spec, client } = this.#options
    const name = await this.#nameAtServer(signal)
    const ask = (server: UpstreamServer) => embed(request, { spec, name, client, server, signal, via })
    for await (const embeddings of tryServers(ask, { ...this.#options, name, signal })) {
      this.#notice(embeddings.usage)
      return embeddings
    }
    throw new Error('A server that has not failed has sent embeddings.')
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
  #notice({ isEstimated }: Pick<RemoteUsage, 'isEstimated'>): void {
    if (!isEstimated || this.#isEstimateTold) return
    this.#isEstimateTold = true
    this.#options.logger.warn(
      {},
      'the server of the model counts no tokens: the usage of its answers is an estimate',
    )
  }

  #down(): ModelUnavailableError {
    const { pool, name } = this.#options
    const { detail = 'Its server has not listed its models yet: try again later.' } = pool.status(name)
    return new ModelUnavailableError(`The model '${this.id}' is not available. ${detail}`)
  }
}
