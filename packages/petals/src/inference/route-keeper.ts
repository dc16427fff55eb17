import { ContextLengthError, MissingBlocksError } from '@petals-chat/engine'
import { blocksOf, formatBlocks, type BlockRange } from '../blocks/block-range.ts'
import type { Span } from '../blocks/spans.ts'
import { SwarmError } from '../errors.ts'
import { shortPeerId, type PeerId } from '../p2p/peer-id.ts'
import { failureKind } from '../routing/failure-kind.ts'
import { silentBlocksError } from '../routing/missing-blocks.ts'
import { Chain, LinkFailure, PushLostError, type Link } from './chain.ts'
import { FailoverLog } from './failover-log.ts'
import type { InferenceContext } from './inference-context.ts'
import { spanLabels, type InferenceMetrics } from './inference-metrics.ts'
import { Patience, type PatienceOptions } from './patience.ts'
import { maxPushedPrompt, pushGain, pushKind, type PushKind } from './push-plan.ts'
import { Recovery } from './recovery.ts'
import { learnFrom } from './server-limits.ts'
import { SessionOpener } from './session-opener.ts'

/** Below this, sending the tokens again is cheaper than finding out whether a server can rewind. */
const minTokensWorthProbing = 64

/**
 * Keeps a chain of servers that can do what is asked of it: finds the route, brings sessions in line with the position,
 * renews those that are too short or too old, and puts others in the place of servers that fail.
 */
export class RouteKeeper {
  readonly chain: Chain
  readonly failovers = new FailoverLog()
  readonly #context: InferenceContext
  readonly #metrics: InferenceMetrics
  readonly #opener: SessionOpener
  readonly #rewindable = new Set<PeerId>()
  readonly #closing = new AbortController()
  #recovery: Recovery
  #patience = new Patience({ waitTimeoutMs: 0 })
  #position = 0
  #pushFailed = false

  constructor(context: InferenceContext, metrics: InferenceMetrics, maxLength: number) {
    const { config, limits, hiddenSize, blocks } = context
    this.#context = context
    this.#metrics = metrics
    this.#recovery = new Recovery(config.maxRetries)
    this.#opener = new SessionOpener(context, metrics, maxLength)
    this.chain = new Chain({
      hiddenSize,
      blocks,
      chunkTokens: () => Math.min(config.prefillChunkTokens, limits.maxRequestTokens),
      openSession: (link, push) =>
        this.#opener.open(link.span, push, this.#recovery.deadlineScale, this.chain.onChange),
    })
  }

  get route(): readonly Span[] {
    return this.chain.links.map(({ span }) => span)
  }

  /** Before work on `needed` tokens in all, of which `position` are done. */
  async prepare(
    position: number,
    needed: number,
    patience: PatienceOptions,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#patience = new Patience(patience)
    this.#recovery = new Recovery(this.#context.config.maxRetries)
    this.#position = position
    this.#opener.needed = needed
    await this.#findRewindable(signal)
    const { chain } = this
    chain.truncate(position, ({ span }) => chain.push !== 'at-opening' && this.#rewindable.has(span.peer))
    for (const link of chain.links.filter((each) => this.#mustRenew(each))) this.#renew(link)
    // Servers that were told at the opening whom to hand outputs to can't be told anything else.
    if (chain.push === 'at-opening' && chain.links.some(({ session }) => !session)) this.#renewAll()
  }

  /** The one place where failures are met: replace what failed, and go on from what is known. */
  async untilDone<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    while (true) {
      try {
        if (this.chain.links.length === 0) await this.#reroute(0, this.#context.blocks, signal)
        const result = await work()
        this.failovers.settle()
        for (const { peer } of this.route) this.#context.router.reportSuccess(peer)
        this.#patience.end()
        return result
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof LinkFailure) await this.#replaceFailed(error, signal)
        else if (error instanceof PushLostError) this.#stopPushing(error)
        else throw error
      }
    }
  }

  /** For good: what is under way throws, waiting too. */
  close(): void {
    this.#closing.abort(new Error('The session was closed.'))
    this.chain.close()
  }

  #mustRenew({ session }: Link): boolean {
    if (!session) return false
    const isOld = performance.now() - session.startedAt > this.#context.config.sessionLifetimeMs
    return isOld || session.expired || session.maxLength < this.#opener.needed
  }

  #renewAll(): void {
    for (const link of this.chain.links) this.#renew(link)
  }

  #renew(link: Link): void {
    this.#opener.expectBusy(link.span.peer)
    this.chain.closeSession(link)
  }

  async #findRewindable(signal: AbortSignal | undefined): Promise<void> {
    if (this.#position < minTokensWorthProbing) return
    const ahead = this.chain.links.filter(({ session }) => session && session.sent > this.#position)
    await Promise.all(
      ahead.map(async ({ span }) => {
        if (await this.#context.capabilities.canRewind(span, { signal })) this.#rewindable.add(span.peer)
      }),
    )
    signal?.throwIfAborted()
  }

  async #replaceFailed({ index, cause }: LinkFailure, signal: AbortSignal | undefined): Promise<void> {
    const link = this.chain.links[index]!
    if (failureKind(cause) === 'client' && this.#learn(link, cause)) return
    const failedAt = performance.now()
    this.#report(link.span, cause)
    this.#recovery.note(link.span.peer, cause, blocksOf(link.span))
    if (failureKind(cause) === 'full') this.#opener.tight = true
    if (this.chain.push === 'at-opening') this.#stopPushing(cause)
    this.chain.dropPushed()
    const replacedBy = await this.#reroute(index, link.span, signal)
    this.failovers.add({
      failed: link.span,
      reason: cause.message,
      position: this.#position,
      replacedBy,
      failedAt,
    })
  }

  /** A refusal that says what would be allowed. True if the same server can be asked again, otherwise. */
  #learn(link: Link, cause: Error): boolean {
    const hasAnswered = (link.session?.taken ?? 0) > 0
    if (!learnFrom(cause, link.span.peer, this.#context.limits, hasAnswered)) return false
    if (this.#opener.isTooLongFor(link.span.peer)) return false
    this.chain.closeSession(link)
    return true
  }

  #report(span: Span, cause: Error): void {
    const { router, logger, dhtPrefix } = this.#context
    router.reportFailure(span.peer, cause)
    const blocks = formatBlocks(blocksOf(span))
    // One that is gone is tried again and again.
    const level = this.#recovery.failed.has(span.peer) ? 'debug' : 'warn'
    logger[level](
      { peer: span.peer, span: blocks, err: cause, position: this.#position },
      'a server of the session failed',
    )
    this.#metrics.failovers.add(1, { ...spanLabels(dhtPrefix, span), reason: cause.name })
  }

  /** Puts other servers in the place of a link, or servers for the whole model where there are none yet. */
  async #reroute(
    index: number,
    blocks: BlockRange,
    signal: AbortSignal | undefined,
  ): Promise<readonly Span[]> {
    const { logger, dhtPrefix } = this.#context
    const spans = await this.#findServers(blocks, signal)
    this.chain.replace(index, spans)
    if (this.#position > 0) this.#metrics.replayedTokens.add(this.#position, { model: dhtPrefix })
    const route = spans.map(({ start, end, peer }) => `${start}:${end} via ${shortPeerId(peer)}`).join(' => ')
    logger.info({ route, position: this.#position }, 'route found')
    this.chain.push = await this.#choosePush(signal)
    return spans
  }

  /** Servers for the blocks: well ones, else those that failed, after a pause. Waits where there are none. */
  async #findServers(blocks: BlockRange, signal: AbortSignal | undefined): Promise<readonly Span[]> {
    const { limits } = this.#context
    while (true) {
      const spans = await this.#findRoute(blocks, signal)
      const again = spans?.filter(({ peer }) => this.#recovery.failed.has(peer)) ?? []
      const tooShort = again.find(({ peer }) => this.#opener.isTooLongFor(peer))
      if (tooShort) throw new ContextLengthError(this.#opener.needed, limits.maxLengths.get(tooShort.peer)!)
      if (again.length > 0) await this.#pause(again, signal)
      // What comes now, a long prompt perhaps, is work, not waiting.
      else if (spans) this.#patience.end()
      if (spans) return spans
    }
  }

  /** Undefined after a pause in which there was none. */
  async #findRoute(
    blocks: BlockRange,
    signal: AbortSignal | undefined,
  ): Promise<readonly Span[] | undefined> {
    const { failed: avoid, policy, provenOnly } = this.#recovery
    const options = { signal, cacheTokens: this.#opener.needed, policy, avoid, provenOnly }
    try {
      return await this.#context.router.route(blocks, options)
    } catch (error) {
      signal?.throwIfAborted()
      await this.#waitForNews(blocks, error, signal)
      return undefined
    }
  }

  /** These servers have failed in this step, and are tried again. @throws MissingBlocksError if that has gone on for too long */
  async #pause(again: readonly Span[], signal: AbortSignal | undefined): Promise<void> {
    const { startedAt, cause } = this.#recovery
    const blocks = again.flatMap(blocksOf)
    const peers = again.map(({ peer }) => peer)
    const pauseMs = this.#recovery.pauseMs(peers)
    const { dhtPrefix, blocks: all, router } = this.#context
    const { waitTimeoutMs } = this.#patience
    // What answers others is there; but one step does not wait for ever.
    const aliveAt = Math.max(startedAt, router.aliveAt(blocks) ?? startedAt)
    const untilMs = Math.min(aliveAt, startedAt + waitTimeoutMs) + waitTimeoutMs
    const now = performance.now()
    if (now >= untilMs)
      throw silentBlocksError(blocks, { dhtPrefix, numBlocks: all.end }, now - startedAt, cause)
    this.#patience.tell(blocks, startedAt, untilMs)
    await this.#patience.pause(pauseMs, this.#stop(signal))
  }

  /** No server is known for some blocks, or no peer can be asked. @throws the error, if there was none for too long */
  async #waitForNews(blocks: BlockRange, error: unknown, signal: AbortSignal | undefined): Promise<void> {
    const isMissing = error instanceof MissingBlocksError
    if (this.#closing.signal.aborted || !(isMissing || error instanceof SwarmError)) throw error
    const missing = isMissing ? error.blocks : blocksOf(blocks)
    const { startedAt } = this.#recovery
    const aliveAt = this.#context.router.aliveAt(missing)
    const untilMs = (aliveAt ?? -Infinity) + this.#patience.waitTimeoutMs
    if (performance.now() >= untilMs) throw error
    this.#patience.tell(missing, startedAt, untilMs)
    await this.#patience.pause(this.#recovery.pauseMs([]), this.#stop(signal))
  }

  #stop(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
  }

  /** Only for a chain that has no sessions yet can it be said how outputs travel; steps may name their successors any time. */
  async #choosePush(signal: AbortSignal | undefined): Promise<PushKind | undefined> {
    const { config, router, capabilities } = this.#context
    const { route } = this
    if (config.serverToServer === 'never' || this.#pushFailed || route.length < 2) return undefined
    const isWorthIt = pushGain(route, (peer) => router.leastRttSeconds(peer)) !== undefined
    if (config.serverToServer === 'auto' && !isWorthIt) return undefined
    const readsSteps = route.slice(0, -1).map((span) => capabilities.canRewind(span, { signal }))
    const kind = pushKind(await Promise.all(readsSteps))
    const isTooLate = this.#position > 0 || this.#opener.needed > maxPushedPrompt
    return kind === 'at-opening' && isTooLate ? undefined : kind
  }

  #stopPushing(cause: Error): void {
    this.#context.logger.info(
      { err: cause },
      'outputs go by this client again: servers could not hand them on',
    )
    this.#recovery.note(undefined, cause)
    this.#pushFailed = true
    // What was handed on at the opening goes on being handed on: only new sessions end that.
    if (this.chain.push === 'at-opening') this.#renewAll()
    else this.chain.dropPushed()
    this.chain.push = undefined
  }
}
