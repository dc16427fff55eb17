import {
  abortable,
  silentLogger,
  silentMetrics,
  type AbortOptions,
  type Logger,
  type Metrics,
} from '@petals-chat/engine'
import type { BlockDirectory } from '../blocks/block-directory.ts'
import type { BlockRange } from '../blocks/block-range.ts'
import { missingBlocks, type Span } from '../blocks/spans.ts'
import type { DhtClient } from '../dht/dht-client.ts'
import { SwarmError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { BanList, type Offence } from './ban-list.ts'
import { filterSpans, leastBad, limitSpans, withoutUnwanted, type ServerFilter } from './candidates.ts'
import { failureKind, offenceOf } from './failure-kind.ts'
import { findFastestRoute, findShortestRoute } from './latency-graph.ts'
import { missingBlocksError } from './missing-blocks.ts'
import { routerMetrics, type RouterMetrics } from './router-metrics.ts'
import { RoundTrips, type ServerProbe } from './round-trips.ts'
import type { RouteOptions, Router, ServerStatus } from './router.ts'
import { SignsOfLife } from './signs-of-life.ts'

/** A first route waits this long for round trips: with them it may save as much on every token. */
const firstPingsMs = 300

/** The DHT is not asked more often than this for servers of blocks that have none, or none that is well. */
const minRefreshAgeMs = 1000

/** A banned server is a worse choice than one that is not, by what it is banned for; the caller's own demerits come on top. */
const demeritOf: Readonly<Record<Offence, number>> = { late: 0.25, failed: 0.5, gone: 0.75 }

export interface RouterOptions extends ServerFilter {
  readonly directory: BlockDirectory
  readonly dht: DhtClient
  readonly probe?: ServerProbe | undefined
  /** Length of a first ban. */
  readonly banTimeoutMs: number
  readonly pingTimeoutMs: number
  /** Servers that are pinged at a time, of those with the first block, the last one, and between. */
  readonly maxPinged: number
  readonly updateIntervalMs: number
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
}

/** Routes through the servers of `directory`, which stays the caller's. */
export function createRouter(options: RouterOptions): Router {
  return new SwarmRouter(options)
}

class SwarmRouter implements Router {
  readonly #options: RouterOptions
  readonly #directory: BlockDirectory
  readonly #bans: BanList
  readonly #roundTrips: RoundTrips
  readonly #life: SignsOfLife
  readonly #logger: Logger
  readonly #metrics: RouterMetrics
  readonly #closing = new AbortController()
  #measuring: Promise<void> | undefined
  #checking: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: RouterOptions) {
    this.#options = options
    this.#directory = options.directory
    this.#bans = new BanList(options.banTimeoutMs)
    this.#roundTrips = new RoundTrips(options)
    this.#life = new SignsOfLife(options.dht, this.#roundTrips)
    this.#logger = options.logger ?? silentLogger
    this.#metrics = routerMetrics(options.metrics ?? silentMetrics, options.directory.dhtPrefix)
  }

  async route(blocks: BlockRange, options: RouteOptions = {}): Promise<readonly Span[]> {
    if (!this.#timer) await this.#firstRoundTrips(await this.#spansOf(blocks, options), options)
    const spans = await this.#spansOf(blocks, options)
    const demerit = (peer: PeerId): number => this.#demerit(peer, options)
    const well = spans.filter(({ peer }) => demerit(peer) === 0)
    // Before a server that failed is tried again: perhaps another has joined meanwhile.
    const lookAgain = missingBlocks(well, blocks).length > 0 && this.#isStale()
    const known = lookAgain ? await this.#lookAgain(spans, blocks, options) : spans
    const { numBlocks } = this.#directory
    if (options.provenOnly) {
      const untried = known.filter(({ peer }) => demerit(peer) === 0)
      await this.#life.search(untried, blocks, { signal: options.signal, closing: this.#closing.signal })
    }
    const isUnproven = (peer: PeerId): boolean => !this.#life.isProven(peer)
    const real = options.provenOnly ? withoutUnwanted(known, numBlocks, isUnproven) : known
    const wanted = leastBad(real, numBlocks, demerit)
    const candidates = limitSpans(wanted, (peer) => this.#life.evidence(peer))
    const route = this.#find(candidates, blocks, options)
    if (!route) throw this.#missing(missingBlocks(candidates, blocks))
    return route
  }

  reportSuccess(peer: PeerId): void {
    this.#bans.reportSuccess(peer)
    if (!this.#life.isNews(peer)) return // every token of an answer comes by here
    this.#life.heard(peer, this.#spanOf(peer))
  }

  reportFailure(peer: PeerId, cause: unknown): void {
    const kind = failureKind(cause)
    if (kind === 'client') return
    const offence = offenceOf(cause)
    if (offence === 'gone') this.#life.lost(peer)
    if (offence === 'late') this.#bans.pause(peer)
    else if (this.#bans.reportFailure(peer, offence)) {
      const bannedForMs = Math.round(this.#bans.remainingMs(peer))
      this.#logger.warn({ peer, err: cause, bannedForMs }, 'a server failed and is left alone for a while')
      const span = this.#spanOf(peer)
      if (span) this.#metrics.ban(span)
    }
    if (kind === 'moved' || this.#isLastHope(peer)) this.#refreshInBackground()
  }

  leastRttSeconds(peer: PeerId): number | undefined {
    return this.#roundTrips.leastSeconds(peer)
  }

  status(): readonly ServerStatus[] {
    const rtts = this.#roundTrips.seconds()
    const { spans } = this.#directory.snapshot()
    const usable = new Set(filterSpans(spans, this.#options))
    return spans.map((span) => ({
      ...span,
      ...this.#lifeOf(span.peer, rtts.get(span.peer)),
      bannedForMs: this.#bans.remainingMs(span.peer),
      usable: usable.has(span),
    }))
  }

  aliveAt(blocks: readonly number[]): number | undefined {
    return this.#life.aliveAt(blocks)
  }

  async check({ signal }: AbortOptions = {}): Promise<void> {
    const online = this.#directory.snapshot().spans.filter(({ server }) => server.state === 'online')
    this.#checking ??= this.#life
      .check(filterSpans(online, this.#options), this.#closing)
      .catch((error: unknown) => this.#logger.debug({ err: error }, 'asking servers failed'))
      .finally(() => (this.#checking = undefined))
    await abortable(this.#checking, signal)
  }

  measure(): Promise<void> {
    this.#measuring ??= this.#measureSome().finally(() => (this.#measuring = undefined))
    return this.#measuring
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#closing.abort(new Error('The router was closed.'))
    await this.#measuring
    await this.#checking
  }

  #find(
    spans: readonly Span[],
    blocks: BlockRange,
    { cacheTokens, policy }: RouteOptions,
  ): readonly Span[] | undefined {
    if (policy === 'shortest') return findShortestRoute(spans, blocks)
    return findFastestRoute({ spans, blocks, cacheTokens, clientRtts: this.#roundTrips.seconds() })?.route
  }

  /** Spans that may be used; if blocks are missing, after a second look. */
  async #spansOf(
    blocks: BlockRange,
    { signal, refresh = false }: AbortOptions & { readonly refresh?: boolean },
  ): Promise<readonly Span[]> {
    if (refresh) await this.#directory.refresh({ signal })
    const spans = filterSpans(await this.#directory.findSpans({ signal }), this.#options)
    const missing = missingBlocks(spans, blocks)
    if (missing.length === 0) return spans
    if (refresh || !this.#isStale()) throw this.#missing(missing)
    return await this.#spansOf(blocks, { signal, refresh: true })
  }

  /** What is known stays known where no peer can be asked. */
  async #lookAgain(
    known: readonly Span[],
    blocks: BlockRange,
    { signal }: AbortOptions,
  ): Promise<readonly Span[]> {
    try {
      return await this.#spansOf(blocks, { signal, refresh: true })
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof SwarmError)) throw error
      return known
    }
  }

  /** A failure, or an answer, can be newer than the last ping. */
  #lifeOf(peer: PeerId, rttSeconds: number | undefined): Pick<ServerStatus, 'alive' | 'rttSeconds'> {
    const alive = this.#life.isAlive(peer)
    if (alive === false) return { alive, rttSeconds: Infinity }
    return { alive, rttSeconds: rttSeconds === Infinity ? undefined : rttSeconds }
  }

  #demerit(peer: PeerId, { avoid }: RouteOptions): number {
    const offence = this.#bans.offence(peer)
    return (avoid?.get(peer) ?? 0) + (offence ? demeritOf[offence] : 0)
  }

  #spanOf(peer: PeerId): Span | undefined {
    return this.#directory.snapshot().spans.find((span) => span.peer === peer)
  }

  #missing(blocks: readonly number[]): Error {
    const { dhtPrefix, numBlocks } = this.#directory
    return missingBlocksError(blocks, { ...this.#options, dhtPrefix, numBlocks })
  }

  /** With one server for everything there is nothing to choose, neither servers nor how outputs get from one to the next. */
  async #firstRoundTrips(spans: readonly Span[], { signal }: AbortOptions): Promise<void> {
    this.#timer = setInterval(() => void this.measure(), this.#options.updateIntervalMs)
    this.#timer.unref()
    const measuring = this.measure()
    if (spans.length === 1) return
    await Promise.race([measuring, new Promise((resolve) => setTimeout(resolve, firstPingsMs))])
    signal?.throwIfAborted()
  }

  async #measureSome(): Promise<void> {
    try {
      const spans = filterSpans(await this.#directory.findSpans({ complete: true }), this.#options)
      const targets = this.#pingTargets(spans)
      const chosen = spans.filter(({ peer }) => targets.includes(peer))
      await this.#life.measure(chosen, this.#closing)
      this.#report(chosen)
    } catch (error) {
      this.#logger.debug({ err: error }, 'measuring round trips failed; will try again')
    }
  }

  #report(spans: readonly Span[]): void {
    const rtts = this.#roundTrips.seconds()
    for (const span of spans) {
      const seconds = rtts.get(span.peer) ?? Infinity
      if (Number.isFinite(seconds)) this.#metrics.roundTrip(span, seconds)
    }
  }

  /** Some of the servers with the first block, the last, and between. */
  #pingTargets(spans: readonly Span[]): readonly PeerId[] {
    const { numBlocks } = this.#directory
    const groups = [
      spans.filter(({ start }) => start === 0),
      spans.filter(({ end }) => end === numBlocks),
      spans.filter(({ start, end }) => start > 0 && end < numBlocks),
    ]
    const chosen = groups.flatMap((group) => this.#life.likeliest(group).slice(0, this.#options.maxPinged))
    return [...new Set(chosen)]
  }

  /** Whether some block has no server left that is not banned. */
  #isLastHope(peer: PeerId): boolean {
    const spans = this.#directory.snapshot().spans.filter(({ server }) => server.state === 'online')
    const held = spans.find((span) => span.peer === peer)
    return (
      held !== undefined &&
      missingBlocks(
        spans.filter((span) => !this.#bans.isBanned(span.peer)),
        held,
      ).length > 0
    )
  }

  /** The news of the swarm are old enough to ask for newer ones. */
  #isStale(): boolean {
    return (this.#directory.snapshot().ageMs ?? 0) > minRefreshAgeMs
  }

  #refreshInBackground(): void {
    if ((this.#directory.snapshot().ageMs ?? 0) < minRefreshAgeMs) return
    this.#directory
      .refresh()
      .catch((error: unknown) => this.#logger.debug({ err: error }, 'looking up servers failed'))
  }
}
