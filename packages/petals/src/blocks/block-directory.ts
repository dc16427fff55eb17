import { abortable, silentLogger, type AbortOptions, type Logger } from '@petals-chat/engine'
import type { DhtClient, DhtRecord } from '../dht/dht-client.ts'
import { blocksOf } from './block-range.ts'
import { blockUid } from './block-uid.ts'
import { computeSpans, missingBlocks, type AnnouncedSpan, type Span } from './spans.ts'

/**
 * Which servers hold which blocks of one model, refreshed in the background (`RemoteSequenceInfo` in
 * `petals/client/routing/sequence_info.py`).
 */
export interface BlockDirectory extends AsyncDisposable {
  readonly dhtPrefix: string
  readonly numBlocks: number
  /** Returns the spans of servers that are online; waits for the first answer of the DHT. @throws PeerUnreachableError */
  findSpans(options?: FindSpansOptions): Promise<readonly Span[]>
  /** Asks the DHT now; concurrent calls share the answer. @throws PeerUnreachableError */
  refresh(options?: AbortOptions): Promise<void>
  /** Returns all that is known now, including servers that are joining or offline. Sends nothing. */
  snapshot(): DirectorySnapshot
}

export interface FindSpansOptions extends AbortOptions {
  /** Wait until all nodes near the keys have been asked, not only until every block has a server. */
  readonly complete?: boolean | undefined
}

export interface DirectorySnapshot {
  readonly spans: readonly AnnouncedSpan[]
  /** Milliseconds since the last complete answer; undefined before the first. */
  readonly ageMs: number | undefined
  /** Why the latest lookup failed; undefined if it succeeded. */
  readonly failure?: Error | undefined
}

export interface BlockDirectoryOptions {
  readonly dht: DhtClient
  readonly dhtPrefix: string
  readonly numBlocks: number
  /** Time between refreshes, milliseconds. */
  readonly updateIntervalMs: number
  readonly logger?: Logger | undefined
  /** Milliseconds of a clock that never goes back. Default: `performance.now`. */
  readonly now?: (() => number) | undefined
}

export function createBlockDirectory(options: BlockDirectoryOptions): BlockDirectory {
  return new DhtBlockDirectory(options)
}

/** In a large swarm some announcement expires every second: they are left out together, after this time for each server. */
const secondsPerServer = 0.001

interface OnlineSpans {
  /** The announcements from which it was made. */
  readonly of: readonly AnnouncedSpan[]
  readonly spans: readonly Span[]
  /** When the first of them expires, and until when that does not matter; Unix seconds of the swarm's clock. */
  readonly expires: number
  readonly until: number
}

class DhtBlockDirectory implements BlockDirectory {
  readonly dhtPrefix: string
  readonly numBlocks: number
  readonly #dht: DhtClient
  readonly #keys: readonly string[]
  readonly #updateIntervalMs: number
  readonly #logger: Logger
  readonly #now: () => number
  readonly #closing = new AbortController()
  #spans: readonly AnnouncedSpan[] = []
  #online: OnlineSpans | undefined
  #updatedAt: number | undefined
  #failure: Error | undefined
  #refreshing: Promise<void> | undefined
  /** Resolves as soon as every block has a server, even while the refresh is still running. */
  #covered = Promise.withResolvers<void>()
  #timer: NodeJS.Timeout | undefined

  constructor({
    dht,
    dhtPrefix,
    numBlocks,
    updateIntervalMs,
    logger = silentLogger,
    now = () => performance.now(),
  }: BlockDirectoryOptions) {
    this.dhtPrefix = dhtPrefix
    this.numBlocks = numBlocks
    this.#dht = dht
    this.#keys = blocksOf({ start: 0, end: numBlocks }).map((block) => blockUid(dhtPrefix, block))
    this.#updateIntervalMs = updateIntervalMs
    this.#logger = logger.child({ dhtPrefix })
    this.#now = now
  }

  async findSpans({ signal, complete = false }: FindSpansOptions = {}): Promise<readonly Span[]> {
    if (this.#updatedAt === undefined) {
      const whole = this.refresh()
      await abortable(complete ? whole : Promise.race([whole, this.#covered.promise]), signal)
    }
    return this.#findOnline()
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
    const ageMs = this.#updatedAt === undefined ? undefined : this.#now() - this.#updatedAt
    return { spans: this.#alive(), ageMs, failure: this.#failure }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer)
    this.#closing.abort(new Error('The directory was closed.'))
    await this.#refreshing?.catch(() => {})
  }

  async #refresh(): Promise<void> {
    const { signal } = this.#closing
    // Before the first complete answer, a partial one is better than none. Later it would hide servers that are known.
    const onPartial = (records: () => ReadonlyMap<string, DhtRecord>): void => {
      if (this.#updatedAt === undefined && !this.#isCovered()) this.#take(records())
    }
    this.#take(await this.#dht.getMany(this.#keys, { signal, onPartial }))
    this.#updatedAt = this.#now()
    this.#failure = undefined
    const missing = missingBlocks(this.#spans, { start: 0, end: this.numBlocks })
    this.#logger.debug({ servers: this.#spans.length, missingBlocks: missing }, 'looked up the servers')
  }

  #take(records: ReadonlyMap<string, DhtRecord>): void {
    this.#spans = computeSpans(this.#keys.map((key) => records.get(key)))
    if (this.#isCovered()) this.#covered.resolve()
  }

  #isCovered(): boolean {
    const online = this.#spans.filter(({ server }) => server.state === 'online')
    return missingBlocks(online, { start: 0, end: this.numBlocks }).length === 0
  }

  /** Returns the same array until something has changed, so that callers can keep what they made of it. */
  #findOnline(): readonly Span[] {
    const now = this.#dht.now()
    const isOld =
      this.#online?.of !== this.#spans || (now >= this.#online.expires && now >= this.#online.until)
    if (!isOld) return this.#online!.spans
    const spans = this.#alive().filter(({ server }) => server.state === 'online')
    const expires = spans.reduce((least, { expirationTime }) => Math.min(least, expirationTime), Infinity)
    this.#online = { of: this.#spans, spans, expires, until: now + spans.length * secondsPerServer }
    return spans
  }

  /** Leaves out announcements that have expired since the last refresh. */
  #alive(): readonly AnnouncedSpan[] {
    const now = this.#dht.now()
    return this.#spans.filter(({ expirationTime }) => expirationTime > now)
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#closing.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.refresh().catch((error: unknown) =>
        this.#logger.warn({ err: error }, 'looking up the servers failed; trying again later'),
      )
    }, this.#updateIntervalMs)
    this.#timer.unref()
  }
}
