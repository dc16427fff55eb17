import { blocksOf, formatBlocks, type BlockRange } from '../blocks/block-range.ts'
import type { Span } from '../blocks/spans.ts'
import { SwarmError, WrongOutputsError, type RpcError } from '../errors.ts'
import { shortPeerId, type PeerId } from '../p2p/peer-id.ts'
import { failureKind, offenceOf } from '../routing/failure-kind.ts'
import { FailoverLog } from './failover-log.ts'
import { createForwarding, type ForwardingOptions } from './forwarding.ts'
import type { InferenceContext } from './inference-context.ts'
import { spanLabels, type InferenceMetrics } from './inference-metrics.ts'
import { closeSession, type OpenHop } from './open-hop.ts'
import { HopFailure, OpenRoute, PushLostError } from './open-route.ts'
import { maxPushedPrompt, pushGain, pushKind, type PushKind } from './push-plan.ts'
import { Recovery } from './recovery.ts'
import { readRefusal, UnfoundedRefusalError } from './refusal.ts'
import { type FinderOptions, RouteFinder } from './route-finder.ts'
import type { Lesson } from './server-limits.ts'
import { SessionOpener } from './session-opener.ts'
import { Standby } from './standby/standby.ts'

/** For fewer tokens, sending them again is cheaper than finding out whether a server can rewind. */
const minTokensWorthProbing = 64

/**
 * Keeps a session's open route able to do the next step: finds the route, rewinds or renews server sessions that have too
 * many tokens, are too short or too old, and replaces servers that fail.
 */
export class RouteKeeper {
  readonly route: OpenRoute
  readonly failovers = new FailoverLog()
  readonly standby: Standby
  readonly #context: InferenceContext
  readonly #metrics: InferenceMetrics
  readonly #opener: SessionOpener
  readonly #forwarding: ForwardingOptions
  readonly #rewindable = new Set<PeerId>()
  /** Servers that this session has asked whether they can rewind. */
  readonly #asked = new Set<PeerId>()
  /** Of the current step. */
  #recovery: Recovery
  #finder: RouteFinder
  /** Of the current step: limits, by server, that another session knew already when this one learnt them. */
  readonly #learntToo = new Set<string>()
  /** Of servers that computed something else than their blocks: the first position that was used. */
  readonly #wrongFrom = new Map<PeerId, number>()
  #pushFailed = false

  constructor(context: InferenceContext, metrics: InferenceMetrics, maxLength: number) {
    const { config, limits, hiddenSize } = context
    this.#context = context
    this.#metrics = metrics
    this.#opener = new SessionOpener(context, metrics, maxLength)
    this.#recovery = new Recovery(config)
    this.#finder = new RouteFinder(context, this.#opener, this.#recovery, { waitTimeoutMs: 0 })
    const requestTokens = (peer: PeerId): number => limits.requestTokens(peer)
    this.#forwarding = { hiddenSize, chunkTokens: config.prefillChunkTokens, requestTokens }
    this.route = new OpenRoute({
      hiddenSize,
      openSession: ({ span }, push) => this.#opener.open(span, push, this.#recovery.deadlineScale),
      forwarding: createForwarding(undefined, this.#forwarding),
      maxLength,
      keepsOutputs: context.observer !== undefined,
    })
    this.standby = new Standby({ context, metrics, route: this.route, opener: this.#opener })
  }

  /** Called before each step. `needed` is the position that the session will reach. */
  async prepare(needed: number, options: FinderOptions, signal: AbortSignal): Promise<void> {
    this.#recovery = new Recovery(this.#context.config)
    this.#finder = new RouteFinder(this.#context, this.#opener, this.#recovery, options)
    this.#opener.needed = needed
    this.#learntToo.clear()
    await this.#disownConvicted(signal)
    this.#distrustPushes()
    await this.#findRewindable(signal)
    const { route } = this
    const { isFixedAtOpening } = route.forwarding
    route.truncate(({ span }) => !isFixedAtOpening && this.#rewindable.has(span.peer))
    for (const hop of route.hops.filter((each) => this.#mustRenew(each))) this.#renew(hop)
    if (isFixedAtOpening && route.hops.some(({ session }) => !session)) this.#renewAll()
    this.standby.stepBegins()
  }

  /** Called before a step: it runs so many tokens of an answer at a time, drafts included. */
  answers(tokens: number): void {
    this.#opener.answerTokens = tokens
  }

  /** Does `work` on the open route. The one place that handles failures: replaces what failed, then does `work` again. */
  async untilDone<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    while (true) {
      try {
        if (this.route.hops.length === 0) await this.#reroute(0, this.#context.blocks, signal)
        this.standby.fillGaps()
        const result = await work()
        this.failovers.settle()
        for (const { peer } of this.route.spans) this.#context.router.reportSuccess(peer)
        this.#finder.endWait()
        return result
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof HopFailure) await this.#replaceFailed(error, signal)
        else if (error instanceof PushLostError) this.#stopPushing(error)
        else throw error
      }
    }
  }

  /**
   * Since the last step, servers of this session may have been found to compute something else than their blocks. What they
   * computed, and what others computed from it, is computed again.
   */
  async #disownConvicted(signal: AbortSignal): Promise<void> {
    const { router } = this.#context
    const { route } = this
    const peers = [...route.authors, ...route.spans.map(({ peer }) => peer)]
    const convicted = new Set(peers.filter((peer) => router.verdicts.of(peer)?.kind === 'wrong'))
    if (convicted.size === 0) return
    for (const peer of convicted) {
      const from = route.firstUseOf(peer)
      if (from === undefined) continue
      this.#wrongFrom.set(peer, from)
      this.failovers.markWrong(peer, from)
    }
    route.disown(convicted)
    const isConvicted = ({ span }: OpenHop): boolean => convicted.has(span.peer)
    for (let at = route.hops.findIndex(isConvicted); at >= 0; at = route.hops.findIndex(isConvicted))
      await this.#replaceFailed(new HopFailure(at, new WrongOutputsError(route.hops[at]!.span.peer)), signal)
  }

  /** One of two servers, of which one pushed its outputs to the other, is wrong: what passes this client can be told apart. */
  #distrustPushes(): void {
    const { route } = this
    if (!route.forwarding.isPushed || !this.#hasDisputed(route.spans)) return
    this.#stopPushing(
      new SwarmError('A spot check raised the doubt whether a server pushes what it reports.'),
    )
    route.disownPushed()
  }

  #hasDisputed(spans: readonly Span[]): boolean {
    return spans.some(({ peer }) => this.#context.router.verdicts.of(peer) !== undefined)
  }

  /** `InferenceSession.rewindableTokens`. */
  rewindableTokens(): number {
    const { hops, forwarding, position } = this.route
    if (hops.length === 0 || forwarding.isFixedAtOpening) return 0
    for (const { span } of hops) this.#askOnce(span)
    const ends = hops.map(({ span, session }) =>
      session?.isOpen && this.#rewindable.has(span.peer) ? session.maxLength : 0,
    )
    return Math.max(0, Math.min(...ends) - position)
  }

  #askOnce(span: Span): void {
    const { peer } = span
    if (this.#asked.has(peer)) return
    this.#asked.add(peer)
    void this.#context.capabilities.canRewind(span).then((canRewind) => {
      // Unless the server has failed in the meantime: another program may answer at its address then.
      if (canRewind && this.#asked.has(peer)) this.#rewindable.add(peer)
    })
  }

  /** A server that comes back may be of another version. */
  #forgetAbilities(peer: PeerId): void {
    this.#asked.delete(peer)
    this.#rewindable.delete(peer)
    this.#context.capabilities.forget(peer)
  }

  #mustRenew({ session }: OpenHop): boolean {
    if (!session) return false
    const isOld = performance.now() - session.startedAt > this.#context.config.sessionLifetimeMs
    return isOld || session.isExpired || session.maxLength < this.#opener.needed
  }

  #renewAll(): void {
    for (const hop of this.route.hops) this.#renew(hop)
  }

  #renew(hop: OpenHop): void {
    this.#opener.expectBusy(hop.span.peer)
    closeSession(hop)
  }

  async #findRewindable(signal: AbortSignal): Promise<void> {
    const { position, hops } = this.route
    if (position < minTokensWorthProbing) return
    const sessions = hops
      .flatMap(({ session, spare }) => [session, spare])
      .filter((each) => each !== undefined)
    const ahead = sessions.filter(({ sent }) => sent > position)
    await Promise.all(
      ahead.map(async ({ span }) => {
        if (await this.#context.capabilities.canRewind(span, { signal })) this.#rewindable.add(span.peer)
      }),
    )
    signal.throwIfAborted()
  }

  async #replaceFailed({ index, cause: refused }: HopFailure, signal: AbortSignal): Promise<void> {
    const { route } = this
    const hop = route.hops[index]!
    const failedAt = performance.now()
    if (offenceOf(refused) === 'gone') {
      this.#context.limits.forget(hop.span.peer)
      this.#forgetAbilities(hop.span.peer)
    }
    const lesson = this.#context.limits.learn(refused, hop.span.peer)
    const cause = lesson === 'contradiction' ? new UnfoundedRefusalError(refused as RpcError) : refused
    this.#recovery.expectProgress(route.progress, cause)
    if (this.#isNews(lesson, hop, refused) && this.#canAskAgain(hop)) return
    if (this.#standbysMadeRoom(hop, refused) && this.#canAskAgain(hop)) return
    this.#report(hop.span, cause)
    this.#recovery.note(hop.span.peer, cause, blocksOf(hop.span))
    if (failureKind(cause) === 'full') this.#opener.isTight = true
    if (route.forwarding.isFixedAtOpening) this.#stopPushing(cause)
    route.forwarding.dropPushed(route.hops)
    const byStandby = this.#takeOver(index)
    const replacedBy = byStandby ? [route.hops[index]!.span] : await this.#reroute(index, hop.span, signal)
    const { position } = route
    const wrongFrom = this.#wrongFrom.get(hop.span.peer)
    const reason = cause.message
    this.failovers.add({ failed: hop.span, reason, position, replacedBy, failedAt, wrongFrom, byStandby })
  }

  /** Has the standby of the hop take over. Returns false if there is none that can. */
  #takeOver(index: number): boolean {
    const { route, standby } = this
    if (!standby.takeOver(index)) return false
    this.#finder.endWait()
    if (route.forwarding.isPushed && !standby.canPush(index))
      route.forwarding = createForwarding(undefined, this.#forwarding)
    const { span } = route.hops[index]!
    const { logger } = this.#context
    logger.info({ peer: span.peer, blocks: formatBlocks(blocksOf(span)) }, 'a standby took over')
    return true
  }

  /** Standbys of this client give up their room on a server that has none left for the session. */
  #standbysMadeRoom({ span }: OpenHop, refused: Error): boolean {
    if (failureKind(refused) !== 'full' || !this.#context.standbyLoad.makeRoom(span.peer)) return false
    this.#opener.expectBusy(span.peer)
    return true
  }

  /**
   * Reports whether this session did not know the limit when it asked. Sessions that ask at the same time learn a limit
   * together: one of them first, and the others did nothing wrong either.
   */
  #isNews(lesson: Lesson | undefined, { span }: OpenHop, refused: Error): boolean {
    if (lesson !== 'known') return lesson === 'new'
    const limit = `${readRefusal(refused)?.limit} of ${span.peer}`
    if (this.#learntToo.has(limit)) return false
    this.#learntToo.add(limit)
    return true
  }

  /** Prepares to ask a server again whose limit has just been learnt. Returns false if what is needed does not fit into it. */
  #canAskAgain(hop: OpenHop): boolean {
    if (this.#opener.isTooLongFor(hop.span.peer)) return false
    closeSession(hop)
    // The servers after a refused step would wait for its outputs forever.
    this.route.forwarding.dropPushed(this.route.hops)
    return true
  }

  #report(span: Span, cause: Error): void {
    const { router, logger, dhtPrefix } = this.#context
    router.reportFailure(span.peer, cause)
    const blocks = formatBlocks(blocksOf(span))
    // A server that can't be reached is tried again and again within a step: one warning is enough.
    const level = this.#recovery.failed.has(span.peer) ? 'debug' : 'warn'
    logger[level](
      { peer: span.peer, span: blocks, err: cause, position: this.route.position },
      'a server of the session failed',
    )
    this.#metrics.failovers.add(1, { ...spanLabels(dhtPrefix, span), reason: cause.name })
  }

  /** Replaces a hop by other servers, or finds servers for the whole model where there are none yet. */
  async #reroute(index: number, blocks: BlockRange, signal: AbortSignal): Promise<readonly Span[]> {
    const { logger, dhtPrefix } = this.#context
    const spans = await this.#finder.find(blocks, this.route.hops[index]?.span.server, signal)
    this.route.replace(index, spans)
    const { position } = this.route
    if (position > 0) this.#metrics.replayedTokens.add(position, { model: dhtPrefix })
    const route = spans.map(({ start, end, peer }) => `${start}:${end} via ${shortPeerId(peer)}`).join(' => ')
    logger.info({ route, position }, 'route found')
    this.route.forwarding = createForwarding(await this.#choosePush(signal), this.#forwarding)
    return spans
  }

  /** Chooses push at the opening only for a route without sessions; with push per step, steps can name servers at any time. */
  async #choosePush(signal: AbortSignal): Promise<PushKind | undefined> {
    const { config, router, capabilities } = this.#context
    const { spans, position } = this.route
    if (config.serverToServer === 'never' || this.#pushFailed || spans.length < 2) return undefined
    if (this.#hasDisputed(spans)) return undefined
    const isWorthIt = pushGain(spans, (peer) => router.leastRttSeconds(peer)) !== undefined
    if (config.serverToServer === 'auto' && !isWorthIt) return undefined
    const readsSteps = spans.slice(0, -1).map((span) => capabilities.canRewind(span, { signal }))
    const kind = pushKind(await Promise.all(readsSteps))
    const isTooLate = position > 0 || this.#opener.needed > maxPushedPrompt
    return kind === 'at-opening' && isTooLate ? undefined : kind
  }

  #stopPushing(cause: Error): void {
    this.#context.logger.info(
      { err: cause },
      'servers could not push their outputs; they go through this client from now on',
    )
    this.#recovery.note(undefined, cause)
    this.#pushFailed = true
    const { route } = this
    // Servers that learnt at the opening where to push go on pushing: only new sessions end that.
    if (route.forwarding.isFixedAtOpening) this.#renewAll()
    else route.forwarding.dropPushed(route.hops)
    route.forwarding = createForwarding(undefined, this.#forwarding)
  }
}
