import { abortable, silentLogger, type AbortOptions, type Logger } from '@petals-chat/engine'
import type { DhtClient, DhtRecord } from '../dht/dht-client.ts'
import { blocksOf } from './block-range.ts'
import { blockUid } from './block-uid.ts'
import { computeSpans, missingBlocks, type AnnouncedSpan, type Span } from './spans.ts'

/** Which servers hold which blocks of one model, kept fresh in the background. */
export interface BlockDirectory extends AsyncDisposable {
  readonly dhtPrefix: string
  readonly numBlocks: number
  /** Spans of servers that are online; waits for the first news of the DHT. @throws PeerUnreachableError */
  findSpans(options?: FindSpansOptions): Promise<readonly Span[]>
  /** Asks the DHT now; calls that come meanwhile share the answer. @throws PeerUnreachableError */
  refresh(options?: AbortOptions): Promise<void>
  /** All that is known at this moment, servers in every state included. */
  snapshot(): DirectorySnapshot
}

export interface FindSpansOptions extends AbortOptions {
  /** Wait until all nodes have been asked, not only until every block has some server. */
  readonly complete?: boolean | undefined
}

export interface DirectorySnapshot {
  readonly spans: readonly AnnouncedSpan[]
  /** Milliseconds since the last complete answer; undefined before the first. */
  readonly ageMs: number | undefined
  /** Why the latest question to the DHT had no answer; undefined if it had one. */
  readonly failure?: Error | undefined
}

export interface BlockDirectoryOptions {
  readonly dht: DhtClient
  readonly dhtPrefix: string
  readonly numBlocks: number
  /** Between refreshes. */
  readonly updateIntervalMs: number
  readonly logger?: Logger | undefined
}

export function createBlockDirectory(options: BlockDirectoryOptions): BlockDirectory {
  return new DhtBlockDirectory(options)
}

class DhtBlockDirectory implements BlockDirectory {
  readonly dhtPrefix: string
  readonly numBlocks: number
  readonly #dht: DhtClient
  readonly #keys: readonly string[]
  readonly #updateIntervalMs: number
  readonly #logger: Logger
  readonly #closing = new AbortController()
  #spans: readonly AnnouncedSpan[] = []
  #updatedAt: number | undefined
  #failure: Error | undefined
  #refreshing: Promise<void> | undefined
  /** Resolves as soon as every block is covered, perhaps before the refresh is through. */
  #covered = Promise.withResolvers<void>()
  #timer: NodeJS.Timeout | undefined

  constructor({ dht, dhtPrefix, numBlocks, updateIntervalMs, logger = silentLogger }: BlockDirectoryOptions) {
    this.dhtPrefix = dhtPrefix
    this.numBlocks = numBlocks
    this.#dht = dht
    this.#keys = blocksOf({ start: 0, end: numBlocks }).map((block) => blockUid(dhtPrefix, block))
    this.#updateIntervalMs = updateIntervalMs
    this.#logger = logger.child({ dhtPrefix })
  }

  async findSpans({ signal, complete = false }: FindSpansOptions = {}): Promise<readonly Span[]> {
    if (this.#updatedAt === undefined) {
      const whole = this.refresh()
      await abortable(complete ? whole : Promise.race([whole, this.#covered.promise]), signal)
    }
    return this.#alive().filter(({ server }) => server.state === 'online')
  }

  refresh({ signal }: AbortOptions = {}): Promise<void> {
    this.#refreshing ??= this.#refresh()
      .catch((error: unknown) => {
        this.#failure = error instanceof Error ? error : new Error(String(error))
        throw error
      })
      .finally(() => {
        this.#refreshing = undefined
        this.#schedule()
      })
    return abortable(this.#refreshing, signal)
  }

  snapshot(): DirectorySnapshot {
    const ageMs = this.#updatedAt === undefined ? undefined : performance.now() - this.#updatedAt
    return { spans: this.#alive(), ageMs, failure: this.#failure }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer)
    this.#closing.abort(new Error('The directory was closed.'))
    await this.#refreshing?.catch(() => {})
  }

  async #refresh(): Promise<void> {
    const { signal } = this.#closing
    // Before the first complete answer any part is better than nothing; later it would hide what is known.
    const onPartial = (records: () => ReadonlyMap<string, DhtRecord>): void => {
      if (this.#updatedAt === undefined && !this.#isCovered()) this.#take(records())
    }
    this.#take(await this.#dht.getMany(this.#keys, { signal, onPartial }))
    this.#updatedAt = performance.now()
    this.#failure = undefined
    const missing = missingBlocks(this.#spans, { start: 0, end: this.numBlocks })
    this.#logger.debug({ servers: this.#spans.length, missingBlocks: missing }, 'servers looked up')
  }

  #take(records: ReadonlyMap<string, DhtRecord>): void {
    this.#spans = computeSpans(this.#keys.map((key) => records.get(key)))
    if (this.#isCovered()) this.#covered.resolve()
  }

  #isCovered(): boolean {
    const online = this.#spans.filter(({ server }) => server.state === 'online')
    return missingBlocks(online, { start: 0, end: this.numBlocks }).length === 0
  }

  /** Between refreshes, and when they fail, announcements run out. */
  #alive(): readonly AnnouncedSpan[] {
    const now = this.#dht.now()
    return this.#spans.filter(({ expirationTime }) => expirationTime > now)
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#closing.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.refresh().catch((error: unknown) =>
        this.#logger.warn({ err: error }, 'looking up servers failed; will try again'),
      )
    }, this.#updateIntervalMs)
    this.#timer.unref()
  }
}
