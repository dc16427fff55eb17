import { isPublicSwarm } from '../../config.ts'
import type { Span } from '../../blocks/spans.ts'
import type { PeerId } from '../../p2p/peer-id.ts'
import type { RpcError } from '../../errors.ts'
import { failureKind, offenceOf } from '../../routing/failure-kind.ts'
import { tensorValues } from '../../tensor/tensor.ts'
import type { InferenceContext } from '../inference-context.ts'
import { spanLabels, type InferenceMetrics } from '../inference-metrics.ts'
import { closeSpare, type OpenHop } from '../open-hop.ts'
import type { OpenRoute } from '../open-route.ts'
import { UnfoundedRefusalError } from '../refusal.ts'
import type { ServerSession } from '../server-session.ts'
import type { SessionOpener } from '../session-opener.ts'
import { chooseSpare, hasRoomBeside, isAsGood } from './choose-spare.ts'
import type { StandbyWork } from './standby-load.ts'

/** `auto`: a shorter session is sent again to a replacement before a reader misses it. */
const worthwhileTokens = 128

/** A standby follows by so many tokens at a time. Together they cost its server about as much as one or two decoded tokens. */
const tokensAtATime = 32

/** Fewer outputs are not compared: what rounding does to them does not cancel out. */
const fewestCompared = 16

/** A standby has room for so many tokens more than are needed: then it can take over when its server's session is full. */
const roomAhead = 256

/** When a step has used this share of its deadline, the standby is asked, too. */
const hedgeShare = 1 / 4

/** How often standbys are looked after, and how often servers are looked for and their room is looked at, milliseconds. */
const intervalMs = 50
const lookIntervalMs = 500

/** So long after a step, milliseconds, its tokens are not going to be taken back at once, as those of a speculation may be. */
const settledMs = 1000

/** A server that is ready to take over, and how far it has followed. */
export interface StandbyState {
  readonly span: Span
  /** Tokens of the session that it holds. */
  readonly position: number
}

export interface StandbyOptions {
  readonly context: InferenceContext
  readonly metrics: InferenceMetrics
  readonly route: OpenRoute
  readonly opener: SessionOpener
}

/**
 * Keeps a standby for each hop of a session: a session on another server of the same blocks. It is sent what the hop was
 * sent, later and in larger steps, which costs its server little, and never while that could hold up answers. If the hop's
 * server fails, or is late, the standby lacks only a few tokens. What it computes is compared with what was used.
 */
export class Standby {
  readonly #options: StandbyOptions
  readonly #fewestTokens: number
  /** Requests that run. */
  readonly #work = new Map<ServerSession, StandbyWork>()
  /** Servers that are known to read in each step where to push its outputs to. */
  readonly #readsSteps = new Set<PeerId>()
  /** Position up to which standbys may follow. */
  #settled = 0
  #stepEndedAt: number | undefined
  #timer: NodeJS.Timeout | undefined
  #lookedAt = -Infinity
  #isOff = false

  constructor(options: StandbyOptions) {
    this.#options = options
    const { standby, initialPeers } = options.context.config
    const isOn = standby === 'always' || (standby === 'auto' && !isPublicSwarm(initialPeers))
    this.#fewestTokens = isOn ? (standby === 'always' ? 1 : worthwhileTokens) : Infinity
  }

  /** Called before a step, when the servers have forgotten what is behind the position. */
  stepBegins(): void {
    this.#settled = this.#options.route.position
    this.#stepEndedAt = undefined
    if (this.#settled < this.#fewestTokens || this.#timer || this.#isOff) return
    this.#timer = setInterval(() => this.#tendSafely(), intervalMs)
    this.#timer.unref()
  }

  /** Called after a step, also one that failed. */
  stepEnds(): void {
    this.#stepEndedAt = performance.now()
  }

  /** Called when the session is over, or all its server sessions are. */
  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const work of this.#work.values()) this.#options.context.standbyLoad.end(work, 0)
    this.#work.clear()
  }

  /** Returns the standbys that can take over, by hop; undefined where there is none. */
  get states(): readonly (StandbyState | undefined)[] {
    return this.#options.route.hops.map(({ spare }) =>
      spare?.isOpen ? { span: spare.span, position: spare.answered } : undefined,
    )
  }

  /** Makes the standby of hop `index` its server. Returns false if there is none that can take over. */
  takeOver(index: number): boolean {
    const { route, context, metrics } = this.#options
    const { spare } = route.hops[index]!
    if (!spare || !route.promote(index)) return false
    this.#forget(spare)
    metrics.takeovers.add(1, spanLabels(context.dhtPrefix, spare.span))
    return true
  }

  /**
   * Lets standbys take over where the session of a hop is over, for example because it was too old. The server may be well: one
   * that is slower, or computes with other numbers, stays its standby.
   */
  fillGaps(): void {
    const { hops } = this.#options.route
    for (const [index, hop] of hops.entries())
      if (!hop.session && hop.spare && this.#isAsGood(hop.spare, hop)) this.takeOver(index)
  }

  /** Gives up standbys on servers that are short of room by now, for sessions of others. */
  giveWay(): void {
    const { route, context } = this.#options
    if (route.hops.every(({ spare }) => !spare)) return
    const servers = new Map(context.router.status().map(({ peer, server }) => [peer, server]))
    for (const hop of route.hops) {
      const { spare } = hop
      const server = spare && servers.get(spare.span.peer)
      if (!server || hasRoomBeside({ server }, spare)) continue
      context.standbyLoad.coolOff(spare.span.peer)
      this.#drop(hop, spare)
    }
  }

  /** Reports whether every server but the last reads in each step where to push its outputs to, as far as standbys are used. */
  canPush(index: number): boolean {
    const { hops } = this.#options.route
    return index === hops.length - 1 || this.#readsSteps.has(hops[index]!.span.peer)
  }

  /** It runs outside of any call. No fault in it may end this program, nor disturb an answer that is well. */
  #tendSafely(): void {
    try {
      this.#tend()
    } catch (error) {
      this.#options.context.logger.error({ err: error }, 'the standbys of a session are given up')
      this.#isOff = true
      for (const hop of this.#options.route.hops) closeSpare(hop)
      this.stop()
    }
  }

  #tend(): void {
    const { route } = this.#options
    const isTimeToLook = performance.now() - this.#lookedAt >= lookIntervalMs
    if (isTimeToLook) {
      this.#lookedAt = performance.now()
      this.giveWay()
    }
    const idleMs = this.#stepEndedAt === undefined ? 0 : performance.now() - this.#stepEndedAt
    if (idleMs > settledMs) this.#settled = route.position
    for (const spare of this.#work.keys()) if (spare.failure) this.#forget(spare)
    for (const [index, hop] of route.hops.entries())
      if (hop.spare) this.#tendHop(index, hop, hop.spare)
      else if (isTimeToLook) this.#open(hop)
    if (idleMs > settledMs && route.hops.every((hop) => this.#hasFollowed(hop))) this.stop()
  }

  #tendHop(index: number, hop: OpenHop, spare: ServerSession): void {
    if (spare.failure) this.#drop(hop, spare, spare.failure)
    else if (this.#isOutdated(spare)) this.#drop(hop, spare)
    else if (spare.isOpen) {
      this.#take(index, spare)
      this.#follow(hop, spare)
      this.#hedge(index, hop, spare)
    }
  }

  /** Nothing is left to do until the next step. */
  #hasFollowed({ spare }: OpenHop): boolean {
    return !spare || (spare.isOpen && spare.pending === 0 && spare.sent >= this.#settled)
  }

  #open(hop: OpenHop): void {
    const { context, opener, route } = this.#options
    const { standbyLoad: load, limits, router, capabilities } = context
    if (!hop.session?.isOpen || route.position < this.#fewestTokens) return
    const wanted = Math.min(opener.needed + roomAhead, route.maxLength)
    const lengthOn = (span: Span): number =>
      opener.lengthOn(span, Math.min(wanted, limits.sessionTokens(span.peer)))
    const span = chooseSpare(router.status(), hop.span, {
      route: route.spans,
      lengthOn,
      reserved: (peer) => load.reserved(peer),
      isExcluded: (peer) => load.isCooling(peer) || opener.isTooLongFor(peer),
    })
    if (!span) return
    hop.spare = opener.open(span, {}, 1, lengthOn(span))
    load.add(hop.spare)
    // Found out now: when the standby takes over, there is no time to ask.
    if (context.config.serverToServer === 'never') return
    void capabilities.canRewind(span).then((can) => can && this.#readsSteps.add(span.peer))
  }

  /** It is too old or too short to take over, or it is not to be trusted. */
  #isOutdated({ span, startedAt, maxLength }: ServerSession): boolean {
    const { context, opener } = this.#options
    const isOld = performance.now() - startedAt > context.config.sessionLifetimeMs
    return isOld || maxLength < opener.needed || context.router.verdicts.of(span.peer) !== undefined
  }

  #drop(hop: OpenHop, spare: ServerSession, failure?: Error): void {
    const { router, standbyLoad, limits, logger } = this.#options.context
    const isFault = failure !== undefined && !spare.isExpired && !spare.isClosed
    closeSpare(hop)
    this.#forget(spare)
    if (!isFault) return
    const { peer } = spare.span
    logger.debug({ peer, err: failure }, 'a standby failed')
    if (offenceOf(failure) === 'gone') limits.forget(peer)
    const lesson = limits.learn(failure, peer)
    // With what the refusal says, the next one will fit.
    if (lesson === 'new') return
    standbyLoad.coolOff(peer)
    if (lesson === 'contradiction') router.reportFailure(peer, new UnfoundedRefusalError(failure as RpcError))
    else if (failureKind(failure) !== 'full') router.reportFailure(peer, failure)
  }

  #forget(spare: ServerSession): void {
    const { standbyLoad, router } = this.#options.context
    standbyLoad.release(spare)
    const work = this.#work.get(spare)
    if (work) standbyLoad.end(work, 1000 * (router.leastRttSeconds(spare.span.peer) ?? 0))
    this.#work.delete(spare)
  }

  /** Takes outputs of which those that were used are known, and has them compared. */
  #take(index: number, spare: ServerSession): void {
    const { route, context } = this.#options
    const known = route.answeredTo(index)
    while (spare.nextTokens !== undefined && spare.taken + spare.nextTokens <= known) {
      const from = spare.taken
      const outputs = spare.take()!
      context.router.reportSuccess(spare.span.peer)
      if (!context.observer || outputs.shape[1]! < fewestCompared) continue
      context.observer.doubled(route, index, { span: spare.span, from, outputs: tensorValues(outputs) })
    }
    if (spare.pending > 0) return
    const work = this.#work.get(spare)
    if (work) context.standbyLoad.end(work, 1000 * (context.router.leastRttSeconds(spare.span.peer) ?? 0))
    this.#work.delete(spare)
  }

  /** Sends the standby what it lacks: as soon as that is worth a step, or the session rests. */
  #follow({ history }: OpenHop, spare: ServerSession): void {
    const { context, route } = this.#options
    const lack = Math.min(this.#settled, route.position, history.length) - spare.sent
    const isResting = this.#stepEndedAt !== undefined && performance.now() - this.#stepEndedAt > settledMs
    if (spare.pending > 0 || lack <= 0 || (lack < tokensAtATime && !isResting)) return
    const work = context.standbyLoad.begin(spare.span.peer)
    if (!work) return
    this.#work.set(spare, work)
    this.#send(spare, history, lack)
  }

  /**
   * Near the deadline of a step, the standby gets the same inputs. If it answers first, it takes over. The other server may
   * only be slow: it is not banned for it.
   */
  #hedge(index: number, hop: OpenHop, spare: ServerSession): void {
    const { session, history } = hop
    if (!session || session.deadlineShare < hedgeShare || !this.#isAsGood(spare, hop)) return
    const lack = history.length - spare.sent
    if (spare.answered > this.#options.route.answeredTo(index)) session.giveUp()
    else if (lack > 0 && lack <= 2 * tokensAtATime) this.#send(spare, history, lack)
  }

  #isAsGood({ span }: ServerSession, hop: OpenHop): boolean {
    const { router } = this.#options.context
    return isAsGood(span, hop.span, (peer) => router.leastRttSeconds(peer))
  }

  #send(spare: ServerSession, history: OpenHop['history'], lack: number): void {
    const { context, metrics } = this.#options
    const most = Math.min(context.config.prefillChunkTokens, context.limits.requestTokens(spare.span.peer))
    const tokens = Math.min(lack, most)
    spare.send({ inputs: history.slice(spare.sent, spare.sent + tokens, spare.dtype!) })
    metrics.standbyTokens.add(tokens, spanLabels(context.dhtPrefix, spare.span))
  }
}
