import type { Logger } from '@petals-chat/engine'
import type { BlockDirectory } from '../blocks/block-directory.ts'
import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { filterSpans, type ServerFilter } from './candidates.ts'
import type { Liveness } from './liveness.ts'
import type { RoundTrips } from './round-trips.ts'
import type { RouterMetrics } from './router-metrics.ts'

export interface RoundTripMonitorOptions {
  readonly directory: BlockDirectory
  readonly filter: ServerFilter
  readonly liveness: Liveness
  readonly roundTrips: RoundTrips
  readonly metrics: RouterMetrics
  /** Servers pinged at a time in each of three groups: with the first block, with the last block, and between. */
  readonly maxPinged: number
  readonly updateIntervalMs: number
  readonly logger: Logger
}

/** Pings some of a model's servers, regularly once it is started. */
export class RoundTripMonitor implements AsyncDisposable {
  readonly #options: RoundTripMonitorOptions
  readonly #closing = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #measuring: Promise<void> | undefined

  constructor(options: RoundTripMonitorOptions) {
    this.#options = options
  }

  get isStarted(): boolean {
    return this.#timer !== undefined
  }

  /** Starts the regular measurements. Returns the first one. */
  start(): Promise<void> {
    this.#timer ??= setInterval(() => void this.measure(), this.#options.updateIntervalMs).unref()
    return this.measure()
  }

  /** `Router.measure` */
  measure(): Promise<void> {
    this.#measuring ??= this.#measure().finally(() => (this.#measuring = undefined))
    return this.#measuring
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#closing.abort(new Error('The router was closed.'))
    await this.#measuring
  }

  async #measure(): Promise<void> {
    const { directory, filter, liveness, logger } = this.#options
    try {
      const spans = filterSpans(await directory.findSpans({ complete: true }), filter)
      const targets = this.#targets(spans)
      const chosen = spans.filter(({ peer }) => targets.has(peer))
      await liveness.measure(chosen, this.#closing)
      this.#report(chosen)
    } catch (error) {
      logger.debug({ err: error }, 'measuring round trips failed; trying again later')
    }
  }

  #targets(spans: readonly Span[]): ReadonlySet<PeerId> {
    const { directory, liveness, maxPinged } = this.#options
    const { numBlocks } = directory
    const groups = [
      spans.filter(({ start }) => start === 0),
      spans.filter(({ end }) => end === numBlocks),
      spans.filter(({ start, end }) => start > 0 && end < numBlocks),
    ]
    return new Set(groups.flatMap((group) => liveness.byUrgency(group).slice(0, maxPinged)))
  }

  #report(spans: readonly Span[]): void {
    const { roundTrips, metrics } = this.#options
    const rtts = roundTrips.seconds()
    for (const span of spans) {
      const seconds = rtts.get(span.peer) ?? Infinity
      if (Number.isFinite(seconds)) metrics.roundTrip(span, seconds)
    }
  }
}
