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
import { filterSpans, withLeastDemerit, withoutUnwanted, type ServerFilter } from './candidates.ts'
import { failureKind, offenceOf } from './failure-kind.ts'
import { Liveness } from './liveness.ts'
import { missingBlocksError } from './missing-blocks.ts'
import { RoomQuestions, type RoomProbe } from './room-questions.ts'
import { RoutePlanner, sessionVectors } from './route-planner.ts'
import { routerMetrics, type RouterMetrics } from './router-metrics.ts'
import { RoundTripMonitor } from './round-trip-monitor.ts'
import { RoundTrips, type ServerProbe } from './round-trips.ts'
import type { Route, RouteOptions, Router, ServerStatus } from './router.ts'
import type { DecodeStep } from './server-loads.ts'
import { SpanIndex } from './span-index.ts'
import { Verdicts } from './verdicts.ts'

/** The first route waits this long for round trips: choosing by them may save as much time on every token. */
const firstPingsMs = 300

/** The shortest time between two lookups of servers for blocks that have none, or only ones that failed. */
const minRefreshAgeMs = 1000

/** Demerits of a banned server, by its offence. The caller's own demerits are added to these. */
const demeritOf: Readonly<Record<Offence, number>> = { late: 0.25, failed: 0.5, gone: 0.75 }
const demeritOfDisputed = 0.125

export interface RouterOptions extends ServerFilter {
  readonly directory: BlockDirectory
  readonly dht: DhtClient
  readonly probe?: ServerProbe | undefined
  readonly askRoom?: RoomProbe | undefined
  /** Length of a first ban, milliseconds. */
  readonly banTimeoutMs: number
  readonly pingTimeoutMs: number
  /** Servers pinged at a time in each of three groups: with the first block, with the last block, and between. */
  readonly maxPinged: number
  readonly updateIntervalMs: number
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Milliseconds of a clock that never goes back. Default: `performance.now`. */
  readonly now?: (() => number) | undefined
  /** Default: `Math.random`. */
  readonly random?: (() => number) | undefined
}

/** Creates a router over the servers of `directory`. The caller disposes the directory, after the router. */
export function createRouter(options: RouterOptions): Router {
  return new SwarmRouter(options)
}

class SwarmRouter implements Router {
  readonly verdicts: Verdicts
  readonly #options: RouterOptions
  readonly #directory: BlockDirectory
  readonly #bans: BanList
  readonly #roundTrips: RoundTrips
  readonly #liveness: Liveness
  readonly #planner: RoutePlanner
  readonly #questions: RoomQuestions | undefined
  /** Of the latest answer of the directory. */
  #indexed: { readonly spans: readonly Span[]; readonly index: SpanIndex } | undefined
  readonly #monitor: RoundTripMonitor
  readonly #logger: Logger
  readonly #metrics: RouterMetrics
  readonly #closing = new AbortController()
  #checking: Promise<void> | undefined

  constructor(options: RouterOptions) {
    this.#options = options
    this.#directory = options.directory
    const { now = () => performance.now(), random = Math.random } = options
    this.verdicts = new Verdicts(now)
    this.#bans = new BanList(options.banTimeoutMs, now)
    this.#roundTrips = new RoundTrips({ ...options, now })
    this.#liveness = new Liveness(options.dht, this.#roundTrips, { now, random })
    this.#planner = new RoutePlanner(this.#roundTrips, now, random)
    const { askRoom: probe, pingTimeoutMs: timeoutMs } = options
    if (probe) this.#questions = new RoomQuestions({ room: this.#planner.room, probe, timeoutMs, now })
    this.#logger = options.logger ?? silentLogger
    this.#metrics = routerMetrics(options.metrics ?? silentMetrics, options.directory.dhtPrefix)
    this.#monitor = new RoundTripMonitor({
      ...options,
      filter: options,
      liveness: this.#liveness,
      roundTrips: this.#roundTrips,
      metrics: this.#metrics,
      logger: this.#logger,
    })
  }

  async route(blocks: BlockRange, options: RouteOptions = {}): Promise<Route> {
    if (!this.#monitor.isStarted) await this.#firstRoundTrips(await this.#indexOf(blocks, options), options)
    const known = await this.#indexOf(blocks, options)
    // Another server may have joined: the router looks for one before it tries a server that failed.
    const lacksFaultless = (index: SpanIndex): boolean =>
      index.missing(blocks, this.#faulty(index, options)).length > 0
    const lookAgain = lacksFaultless(known) && this.#isStale()
    const index = lookAgain ? await this.#lookAgain(known, blocks, options) : known
    if (!options.provenOnly && !lacksFaultless(index))
      return this.#planner.plan(index, blocks, options, this.#faulty(index, options))!
    const spans = this.#usable(index.spans)
    const candidates = await this.#leastEvil(spans, blocks, options)
    const route = this.#planner.plan(new SpanIndex(candidates, index.numBlocks), blocks, options)
    if (!route) throw this.#missing(missingBlocks(candidates, blocks))
    return route
  }

  /** Returns, for each block, the servers that are the least unlikely to work, where some block has no faultless one. */
  async #leastEvil(
    spans: readonly Span[],
    blocks: BlockRange,
    options: RouteOptions,
  ): Promise<readonly Span[]> {
    const { numBlocks } = this.#directory
    const demerit = (peer: PeerId): number => this.#demerit(peer, options)
    if (!options.provenOnly) return withLeastDemerit(spans, numBlocks, demerit)
    const untried = spans.filter(({ peer }) => demerit(peer) === 0)
    await this.#liveness.search(untried, blocks, { signal: options.signal, closing: this.#closing.signal })
    const isUnproven = (peer: PeerId): boolean => !this.#liveness.isProven(peer)
    return withLeastDemerit(withoutUnwanted(spans, numBlocks, isUnproven), numBlocks, demerit)
  }

  reportSuccess(peer: PeerId): void {
    this.#bans.reportSuccess(peer)
    this.#planner.troubles.succeeded(peer)
    if (!this.#liveness.isNews(peer)) return // this method runs for every token of an answer
    this.#liveness.markAlive(peer, this.#spanOf(peer))
  }

  reportStep(step: DecodeStep): void {
    this.#planner.loads.stepped(step, this.#roundTrips.leastSeconds(step.peer))
  }

  reportOpening(span: Span, session: string, tokens: number): void {
    this.#planner.room.opened(span, session, sessionVectors(span, tokens))
  }

  reportEnd(peer: PeerId, session: string): void {
    this.#planner.loads.ended(peer, session)
    this.#planner.room.closed(peer, session)
  }

  reportFailure(peer: PeerId, cause: unknown): void {
    const kind = failureKind(cause)
    if (kind === 'limit') return
    const offence = offenceOf(cause)
    if (kind === 'full') this.#noteFull(peer)
    else this.#planner.troubles.failed(peer)
    if (offence === 'gone') this.#liveness.markUnreachable(peer)
    if (offence === 'late') this.#bans.pause(peer)
    else if (this.#bans.reportFailure(peer, offence)) {
      const bannedForMs = Math.round(this.#bans.remainingMs(peer))
      this.#logger.warn({ peer, err: cause, bannedForMs }, 'banned a server that failed')
      const span = this.#spanOf(peer)
      if (span) this.#metrics.ban(span)
    }
    if (kind === 'moved' || this.#leavesBlocksUncovered(peer)) this.#refreshInBackground()
  }

  leastRttSeconds(peer: PeerId): number | undefined {
    return this.#roundTrips.leastSeconds(peer)
  }

  status(): readonly ServerStatus[] {
    const rtts = this.#roundTrips.seconds()
    const { spans } = this.#directory.snapshot()
    const usable = new Set(this.#usable(spans))
    return spans.map((span) => ({
      ...span,
      ...this.#lifeOf(span.peer, rtts.get(span.peer)),
      bannedForMs: this.#bans.remainingMs(span.peer),
      usable: usable.has(span),
      verdict: this.verdicts.of(span.peer),
    }))
  }

  aliveAt(blocks: readonly number[]): number | undefined {
    return this.#liveness.aliveAt(blocks)
  }

  sessionsThatFit(blocks: BlockRange, tokens: number, reclaimable: (peer: PeerId) => number): number {
    if (!this.#indexed) return Infinity
    const { index } = this.#indexed
    const without = this.#wrongSlots(index)
    // As in `route`.
    const avoided = this.#faulty(index)
    return this.#planner.room.sessionsThatFit(index, blocks, { tokens, without, avoided, reclaimable })
  }

  async askRoom(tokens: number, { signal }: AbortOptions = {}): Promise<void> {
    if (!this.#indexed || !this.#questions) return
    // Servers may have come, or have announced more room, since the last route was planned.
    const index = await this.#presentIndex({ signal }).catch(() => this.#indexed!.index)
    const stop = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    await this.#questions.ask(index, tokens, stop)
  }

  async check({ signal }: AbortOptions = {}): Promise<void> {
    const online = this.#directory.snapshot().spans.filter(({ server }) => server.state === 'online')
    this.#checking ??= this.#liveness
      .check(filterSpans(online, this.#options), this.#closing)
      .catch((error: unknown) => this.#logger.debug({ err: error }, 'pinging servers failed'))
      .finally(() => (this.#checking = undefined))
    await abortable(this.#checking, signal)
  }

  async refresh(options?: AbortOptions): Promise<void> {
    await this.#directory.refresh(options).catch((error: unknown) => this.#logLookup(error))
  }

  measure(): Promise<void> {
    return this.#monitor.measure()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('The router was closed.'))
    await this.#monitor[Symbol.asyncDispose]()
    await this.#checking
  }

  /** Returns the usable spans. If blocks are missing, it asks the DHT once more. */
  async #indexOf(
    blocks: BlockRange,
    { signal, refresh = false }: AbortOptions & { readonly refresh?: boolean },
  ): Promise<SpanIndex> {
    if (refresh) await this.#directory.refresh({ signal })
    const index = await this.#presentIndex({ signal })
    const missing = index.missing(blocks, this.#wrongSlots(index))
    if (missing.length === 0) return index
    if (refresh || !this.#isStale()) throw this.#missing(missing)
    return await this.#indexOf(blocks, { signal, refresh: true })
  }

  /** Returns the usable spans that are known now. */
  async #presentIndex(options: AbortOptions): Promise<SpanIndex> {
    const spans = await this.#directory.findSpans(options)
    if (this.#indexed?.spans !== spans) {
      const allowed = filterSpans(spans, this.#options)
      this.#indexed = { spans, index: new SpanIndex(allowed, this.#directory.numBlocks) }
      this.#planner.room.announced(this.#indexed.index)
    }
    return this.#indexed.index
  }

  /** Returns the slots of servers with a fault. */
  #faulty(index: SpanIndex, { avoid }: RouteOptions = {}): ReadonlySet<number> {
    return this.#slotsOf(index, [
      ...this.#bans.banned(),
      ...this.verdicts.servers(),
      ...(avoid?.keys() ?? []),
    ])
  }

  #wrongSlots(index: SpanIndex): ReadonlySet<number> {
    return this.#slotsOf(
      index,
      this.verdicts.servers().filter((peer) => this.#isWrong(peer)),
    )
  }

  #slotsOf(index: SpanIndex, peers: readonly PeerId[]): ReadonlySet<number> {
    const slots = new Set<number>()
    for (const peer of peers) index.forSlotsOf(peer, (slot) => slots.add(slot))
    return slots
  }

  #usable<S extends Span>(spans: readonly S[]): readonly S[] {
    return filterSpans(spans, this.#options).filter(({ peer }) => !this.#isWrong(peer))
  }

  #isWrong(peer: PeerId): boolean {
    return this.verdicts.of(peer)?.kind === 'wrong'
  }

  /** Asks the DHT again; returns the known spans if no peer answers. */
  async #lookAgain(known: SpanIndex, blocks: BlockRange, { signal }: AbortOptions): Promise<SpanIndex> {
    try {
      return await this.#indexOf(blocks, { signal, refresh: true })
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof SwarmError)) throw error
      return known
    }
  }

  /** The latest failure or answer of a server can be newer than its last ping. */
  #lifeOf(peer: PeerId, rttSeconds: number | undefined): Pick<ServerStatus, 'alive' | 'rttSeconds'> {
    const alive = this.#liveness.isAlive(peer)
    if (alive === false) return { alive, rttSeconds: Infinity }
    return { alive, rttSeconds: rttSeconds === Infinity ? undefined : rttSeconds }
  }

  #demerit(peer: PeerId, { avoid }: RouteOptions): number {
    const offence = this.#bans.offence(peer)
    const isDisputed = this.verdicts.of(peer) !== undefined
    const demerit = (offence ? demeritOf[offence] : 0) + (isDisputed ? demeritOfDisputed : 0)
    return (avoid?.get(peer) ?? 0) + demerit
  }

  #spanOf(peer: PeerId): Span | undefined {
    const index = this.#indexed?.index
    let found: Span | undefined
    index?.forSlotsOf(peer, (slot) => (found = index.spans[slot]))
    return found ?? this.#directory.snapshot().spans.find((span) => span.peer === peer)
  }

  #noteFull(peer: PeerId): void {
    const span = this.#spanOf(peer)
    if (span) this.#planner.room.refused(span)
  }

  #missing(blocks: readonly number[]): Error {
    const { dhtPrefix, numBlocks } = this.#directory
    const wrongServers = this.#directory
      .snapshot()
      .spans.filter(
        ({ peer, start, end }) =>
          this.#isWrong(peer) && blocks.some((block) => start <= block && block < end),
      ).length
    return missingBlocksError(blocks, { ...this.#options, dhtPrefix, numBlocks, wrongServers })
  }

  /** Does not wait if there is only one server: then there is no choice to make, neither of servers nor of pushing. */
  async #firstRoundTrips({ spans }: SpanIndex, { signal }: AbortOptions): Promise<void> {
    const measuring = this.#monitor.start()
    if (spans.length === 1) return
    await Promise.race([measuring, new Promise((resolve) => setTimeout(resolve, firstPingsMs))])
    signal?.throwIfAborted()
  }

  /** Reports whether a block of this server's span has no server that is not banned. */
  #leavesBlocksUncovered(peer: PeerId): boolean {
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

  /** Reports whether the directory is old enough to ask the DHT again. */
  #isStale(): boolean {
    return (this.#directory.snapshot().ageMs ?? 0) > minRefreshAgeMs
  }

  #logLookup(error: unknown): void {
    this.#logger.debug({ err: error }, 'looking up the servers failed')
  }

  #refreshInBackground(): void {
    if (!this.#isStale()) return
    void this.refresh()
  }
}
