import { MissingBlocksError, silentLogger, type AbortOptions, type Logger } from '@petals-chat/engine'
import type { BlockDirectory } from '../blocks/block-directory.ts'
import { formatBlocks, type BlockRange } from '../blocks/block-range.ts'
import { missingBlocks, spansByBlock, type Span } from '../blocks/spans.ts'
import type { DhtClient } from '../dht/dht-client.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { BanList } from './ban-list.ts'
import { filterSpans, limitSpans, withoutUnwanted, type ServerFilter } from './candidates.ts'
import { failureKind } from './failure-kind.ts'
import { findFastestRoute, findShortestRoute } from './latency-graph.ts'
import { RoundTrips } from './round-trips.ts'
import type { RouteOptions, Router, ServerStatus } from './router.ts'

/** A first route waits this long for round trips, if there is a choice: with them it may save as much on every token. */
const firstPingsMs = 300

/** The DHT is not asked more often than this for blocks that are missing. */
const minRefreshAgeMs = 5000

const howToHelp =
  'You can see the state of the public swarm at https://health.petals.dev. If you have a GPU, you can help by serving blocks: ' +
  'https://github.com/bigscience-workshop/petals#connect-your-gpu-and-increase-petals-capacity'

export interface RouterOptions extends ServerFilter {
  readonly directory: BlockDirectory
  readonly dht: DhtClient
  /** Length of a first ban. */
  readonly banTimeoutMs: number
  readonly pingTimeoutMs: number
  /** Servers that are pinged at a time, of those with the first block, the last one, and between. */
  readonly maxPinged: number
  readonly updateIntervalMs: number
  readonly logger?: Logger | undefined
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
  readonly #logger: Logger
  readonly #closing = new AbortController()
  #measuring: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: RouterOptions) {
    this.#options = options
    this.#directory = options.directory
    this.#bans = new BanList(options.banTimeoutMs)
    this.#roundTrips = new RoundTrips(options)
    this.#logger = options.logger ?? silentLogger
  }

  async route(blocks: BlockRange, options: RouteOptions = {}): Promise<readonly Span[]> {
    const spans = await this.#spansOf(blocks, options)
    await this.#firstRoundTrips(spans, options)
    const { numBlocks } = this.#directory
    const isAvoided = (peer: PeerId): boolean => options.avoid?.has(peer) ?? false
    const unbanned = withoutUnwanted(spans, numBlocks, (peer) => this.#bans.isBanned(peer))
    const candidates = limitSpans(withoutUnwanted(unbanned, numBlocks, isAvoided), this.#evidence())
    const route = this.#find(candidates, blocks, options)
    if (!route) throw this.#missing(missingBlocks(candidates, blocks))
    return route
  }

  reportSuccess(peer: PeerId): void {
    this.#bans.reportSuccess(peer)
  }

  reportFailure(peer: PeerId, cause: unknown): void {
    const kind = failureKind(cause)
    if (kind === 'client') return
    if (kind === 'full') this.#bans.pause(peer)
    else if (this.#bans.reportFailure(peer)) {
      const bannedForMs = Math.round(this.#bans.remainingMs(peer))
      this.#logger.warn({ peer, cause, bannedForMs }, 'a server failed and is left alone for a while')
    }
    if (kind === 'moved' || this.#isLastHope(peer)) this.#refreshInBackground()
  }

  status(): readonly ServerStatus[] {
    const rtts = this.#roundTrips.seconds()
    return this.#directory.snapshot().spans.map((span) => ({
      ...span,
      rttSeconds: rtts.get(span.peer),
      bannedForMs: this.#bans.remainingMs(span.peer),
    }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#closing.abort(new Error('The router was closed.'))
    await this.#measuring
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
  async #spansOf(blocks: BlockRange, options: AbortOptions): Promise<readonly Span[]> {
    const spans = filterSpans(await this.#directory.findSpans(options), this.#options)
    if (missingBlocks(spans, blocks).length === 0) return spans
    if ((this.#directory.snapshot().ageMs ?? 0) > minRefreshAgeMs) await this.#directory.refresh(options)
    const again = filterSpans(await this.#directory.findSpans(options), this.#options)
    const missing = missingBlocks(again, blocks)
    if (missing.length > 0) throw this.#missing(missing)
    return again
  }

  #missing(blocks: readonly number[]): MissingBlocksError {
    const { allowed, blocked, adapter } = this.#options
    const filtered = allowed || blocked?.size || adapter
    const model = `'${this.#directory.dhtPrefix}' (${this.#directory.numBlocks} blocks)`
    const condition = filtered
      ? ` that the configuration allows${adapter ? `, with the adapter ${adapter},` : ''}`
      : ''
    const message = `No server${condition} is online that holds blocks ${formatBlocks(blocks)} of ${model}. ${howToHelp}`
    return new MissingBlocksError(blocks, message)
  }

  /** How sure it is that a peer is more than a name in a record. */
  #evidence(): (peer: PeerId) => number {
    const rtts = this.#roundTrips.seconds()
    return (peer) => {
      const rtt = rtts.get(peer)
      if (rtt !== undefined) return Number.isFinite(rtt) ? 3 : -1
      return this.#options.dht.hasAnswered(peer) ? 2 : 0
    }
  }

  async #firstRoundTrips(spans: readonly Span[], { signal }: AbortOptions): Promise<void> {
    if (this.#timer) return
    this.#timer = setInterval(() => void this.#measure(), this.#options.updateIntervalMs)
    this.#timer.unref()
    const measuring = this.#measure()
    if (spansByBlock(spans, this.#directory.numBlocks).every((holders) => holders.length <= 1)) return
    await Promise.race([measuring, new Promise((resolve) => setTimeout(resolve, firstPingsMs))])
    signal?.throwIfAborted()
  }

  #measure(): Promise<void> {
    this.#measuring ??= this.#measureSome().finally(() => (this.#measuring = undefined))
    return this.#measuring
  }

  async #measureSome(): Promise<void> {
    try {
      const spans = filterSpans(await this.#directory.findSpans(), this.#options)
      await this.#roundTrips.measure(this.#pingTargets(spans), this.#closing)
    } catch (error) {
      this.#logger.debug({ error }, 'measuring round trips failed; will try again')
    }
  }

  /** Of the servers with the first block, the last, and between: those whose round trip is known least, the likeliest first. */
  #pingTargets(spans: readonly Span[]): readonly PeerId[] {
    const { numBlocks } = this.#directory
    const groups = [
      spans.filter(({ start }) => start === 0),
      spans.filter(({ end }) => end === numBlocks),
      spans.filter(({ start, end }) => start > 0 && end < numBlocks),
    ]
    const urgency = new Map(
      spans.map(({ peer }) => [
        peer,
        { evidence: this.#options.dht.hasAnswered(peer) ? 1 : 0, age: this.#roundTrips.ageMs(peer) },
      ]),
    )
    const chosen = groups.flatMap((group) =>
      group
        .map(({ peer }) => peer)
        .toSorted(() => Math.random() - 0.5)
        .toSorted((a, b) => compareUrgency(urgency.get(a)!, urgency.get(b)!))
        .slice(0, this.#options.maxPinged),
    )
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

  #refreshInBackground(): void {
    if ((this.#directory.snapshot().ageMs ?? 0) < minRefreshAgeMs) return
    this.#directory
      .refresh()
      .catch((error: unknown) => this.#logger.debug({ error }, 'looking up servers failed'))
  }
}

interface Urgency {
  readonly evidence: number
  readonly age: number
}

/** Unknown round trips first, of these the peers that are known to live; then the oldest. */
function compareUrgency(a: Urgency, b: Urgency): number {
  if (a.age !== b.age && (a.age === Infinity || b.age === Infinity)) return b.age - a.age
  return b.evidence - a.evidence || b.age - a.age
}
