import type { Logger, ModelStatus } from '@petals-chat/engine'
import type { HttpClient } from '../http/http-client.ts'
import { listDetail, offersOf } from './lists.ts'
import { lookAt } from './look.ts'
import { type Offer, UpstreamServer } from './server.ts'

export interface ServerPoolOptions {
  readonly baseUrls: readonly string[]
  readonly apiKey?: string | undefined
  readonly connectTimeoutMs: number
  readonly healthIntervalMs: number
  readonly client: HttpClient
  readonly logger: Logger
}

/** The servers of one entry: which of them are well, what they offer, and which one answers next. */
export class ServerPool implements AsyncDisposable {
  readonly servers: readonly UpstreamServer[]
  readonly #options: ServerPoolOptions
  readonly #closing = new AbortController()
  #choices = 0
  #looking: Promise<void>
  #timer: NodeJS.Timeout | undefined

  /** Looks at the servers at once, and then again and again. */
  constructor(options: ServerPoolOptions) {
    this.#options = options
    this.servers = options.baseUrls.map((url) => new UpstreamServer(url))
    this.#looking = this.#look()
  }

  /** The models of all servers, in the order in which they list them. */
  get offers(): readonly Offer[] {
    return offersOf(this.servers)
  }

  /** What the servers say of a model: of several lengths the shortest. */
  contextLength(model: string): number | undefined {
    const lengths = this.servers.flatMap(({ offers }) => offers?.get(model)?.contextLength ?? [])
    return lengths.length === 0 ? undefined : Math.min(...lengths)
  }

  /** No server can answer, as far as is known. */
  get isDown(): boolean {
    return this.servers.every(({ problem }) => problem !== undefined)
  }

  /**
   * Chooses the server with the fewest answers, among those that are well and have the model; of equals, the one that has
   * rested longest. Servers in `tried`, and those that are not well, are only chosen if there is no other.
   */
  choose(model: string, tried: ReadonlySet<UpstreamServer>): UpstreamServer {
    const rank = (server: UpstreamServer): readonly number[] => [
      Number(tried.has(server)),
      Number(server.problem !== undefined),
      Number(server.offers?.has(model) === false),
      server.running,
      server.lastChosen,
    ]
    const [best] = [...this.servers].sort((left, right) => compare(rank(left), rank(right)))
    best!.lastChosen = ++this.#choices
    return best!
  }

  /** Notes what a request found out: `problem` until the next look finds the server well. */
  note(server: UpstreamServer, problem: string | undefined): void {
    if (problem !== undefined && server.problem === undefined) this.#report(server, problem)
    server.problem = problem
    server.hasAnswered ||= problem === undefined
  }

  /** Whether a model can be used; undefined: whichever the servers list. */
  status(model: string | undefined): ModelStatus {
    const ill = this.servers.filter(({ problem }) => problem !== undefined)
    const [first] = ill
    const problems = ill.map(({ name, problem }) => `${name}: ${problem}`).join('; ')
    if (first !== undefined && ill.length === this.servers.length)
      return { state: 'unavailable', detail: `The server of this model can't be used (${problems}).` }
    if (first !== undefined)
      return {
        state: 'degraded',
        detail: `${ill.length} of ${this.servers.length} servers can't be used (${problems}).`,
      }
    const detail = listDetail(this.servers, model)
    return detail === undefined ? { state: 'ready' } : { state: 'degraded', detail }
  }

  /** Resolves when the servers have been looked at once more. */
  async refresh(): Promise<void> {
    await this.#looking
    await (this.#looking = this.#look())
  }

  /** Resolves when the look that is under way, or the last one, is complete. */
  async looked(): Promise<void> {
    await this.#looking
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    await this.#looking
  }

  async #look(): Promise<void> {
    clearTimeout(this.#timer)
    const { signal } = this.#closing
    await Promise.all(this.servers.map((server) => this.#lookAt(server)))
    if (signal.aborted) return
    this.#timer = setTimeout(() => {
      this.#looking = this.#look()
    }, this.#options.healthIntervalMs).unref()
  }

  async #lookAt(server: UpstreamServer): Promise<void> {
    const { problem: before, listProblem: listBefore } = server
    await lookAt(server, { ...this.#options, signal: this.#closing.signal })
    const { problem, listProblem } = server
    if (listProblem !== undefined && listBefore === undefined && !server.hasAnswered)
      this.#options.logger.warn({ server: server.name }, `the server of a model ${listProblem}`)
    if (problem !== undefined && before === undefined) this.#report(server, problem)
    if (problem === undefined && before !== undefined)
      this.#options.logger.info({ server: server.name }, 'the server of a model can be used again')
  }

  #report(server: UpstreamServer, problem: string): void {
    this.#options.logger.warn({ server: server.name }, `the server of a model can't be used: ${problem}`)
  }
}

function compare(left: readonly number[], right: readonly number[]): number {
  const place = left.findIndex((value, index) => value !== right[index])
  return place === -1 ? 0 : left[place]! - right[place]!
}
