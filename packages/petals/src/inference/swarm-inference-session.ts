import { ContextLengthError, type AbortOptions } from '@petals-chat/engine'
import { setTimeout as delay } from 'node:timers/promises'
import { blocksOf, formatBlocks, type BlockRange } from '../blocks/block-range.ts'
import type { Span } from '../blocks/spans.ts'
import { RpcError } from '../errors.ts'
import { shortPeerId, type PeerId } from '../p2p/peer-id.ts'
import { failureKind } from '../routing/failure-kind.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import { Chain, LinkFailure, PushLostError, type Link } from './chain.ts'
import { FailoverLog, type SessionFailover } from './failover-log.ts'
import type { InferenceContext } from './inference-context.ts'
import { inferenceMetrics, phaseOf, spanLabels, type InferenceMetrics } from './inference-metrics.ts'
import type { InferenceSession } from './inference-session.ts'
import { compactTensor, copyValues } from './input-history.ts'
import { planPush, pushKind, type PushKind } from './push-plan.ts'
import { Recovery } from './recovery.ts'
import { ServerSession, type StepCost } from './server-session.ts'
import { sessionLength } from './session-length.ts'
import type { HiddenTensor } from './step-outputs.ts'

/** How often an idle session is looked after. */
const maintenanceMs = 15_000

/** Below this, sending the tokens again is cheaper than finding out whether a server can rewind. */
const minTokensWorthProbing = 64

/** A server whose session was just closed may need a moment to free its KV cache. */
const reallocTimeoutSeconds = 2

export interface SwarmInferenceSessionOptions {
  /** Tokens that the session may ever hold. */
  readonly maxLength: number
}

/** An inference session on the servers that `context.router` chooses. */
export function createInferenceSession(
  context: InferenceContext,
  options: SwarmInferenceSessionOptions,
): InferenceSession {
  return new SwarmInferenceSession(context, options)
}

class SwarmInferenceSession implements InferenceSession {
  readonly #context: InferenceContext
  readonly #maxLength: number
  readonly #metrics: InferenceMetrics
  readonly #failovers = new FailoverLog()
  readonly #chain: Chain
  readonly #rewindable = new Set<PeerId>()
  /** Peers that had a session of ours that was closed lately. */
  readonly #reopened = new Set<PeerId>()
  #position = 0
  /** Tokens that the sessions being opened must hold. */
  #needed = 0
  #recovery: Recovery
  #pushFailed = false
  #busy = false
  #closed = false
  #lastUse = performance.now()
  readonly #maintenance: NodeJS.Timeout

  constructor(context: InferenceContext, { maxLength }: SwarmInferenceSessionOptions) {
    this.#context = context
    this.#maxLength = maxLength
    this.#metrics = inferenceMetrics(context.metrics)
    this.#recovery = new Recovery(context.config.maxRetries)
    const chunkTokens = (): number =>
      Math.min(context.config.prefillChunkTokens, context.limits.maxRequestTokens)
    const { hiddenSize, blocks } = context
    this.#chain = new Chain({
      hiddenSize,
      blocks,
      chunkTokens,
      openSession: (link, push) => this.#openSession(link, push),
    })
    this.#maintenance = setInterval(
      () => this.#maintain(),
      Math.min(maintenanceMs, context.config.keepAliveMs / 2),
    )
    this.#maintenance.unref()
  }

  get position(): number {
    return this.#position
  }

  get route(): readonly Span[] {
    return this.#chain.links.map(({ span }) => span)
  }

  get failovers(): readonly SessionFailover[] {
    return this.#failovers.list()
  }

  get pushed(): boolean {
    return this.#chain.push !== undefined
  }

  async open({ signal }: AbortOptions = {}): Promise<void> {
    await this.#exclusively(signal, async () => {
      await this.#prepare(this.#position + 1, signal)
      await this.#untilDone(signal, () => this.#chain.ready(signal))
    })
  }

  async step(inputs: HiddenStates, { signal }: AbortOptions = {}): Promise<HiddenStates> {
    return await this.#exclusively(signal, async () => {
      const [tokens, hiddenSize] = inputs.shape
      const goal = this.#checked(inputs)
      await this.#prepare(goal, signal)
      this.#chain.begin(this.#position, compactTensor(inputs.data, [1, tokens, hiddenSize]))
      const startedAt = performance.now()
      const outputs = await this.#untilDone(signal, () => this.#chain.run(goal, signal))
      this.#position = goal
      for (const { span } of this.#chain.links) this.#context.router.reportSuccess(span.peer)
      const labels = { model: this.#context.dhtPrefix, phase: phaseOf(tokens) }
      this.#metrics.stepSeconds.observe((performance.now() - startedAt) / 1000, labels)
      return { shape: inputs.shape, data: joinValues(outputs, tokens * hiddenSize) }
    })
  }

  rewind(position: number): void {
    if (!Number.isInteger(position) || position < 0 || position > this.#position) {
      throw new RangeError(`Can't rewind to ${position}: the session holds ${this.#position} tokens.`)
    }
    this.#position = position
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearInterval(this.#maintenance)
    this.#chain.close()
  }

  /** After an error or an abort everything is as it was; what servers may have half done is thrown away. */
  async #exclusively<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new Error('A step of this session is under way.')
    if (this.#closed) throw new Error('This session was closed.')
    signal?.throwIfAborted()
    this.#busy = true
    this.#recovery = new Recovery(this.#context.config.maxRetries)
    try {
      return await work()
    } catch (error) {
      this.#chain.truncate(this.#position, () => false)
      throw error
    } finally {
      this.#busy = false
      this.#lastUse = performance.now()
      if (this.#closed) this.#chain.close()
    }
  }

  #checked({ shape: [tokens, hiddenSize], data }: HiddenStates): number {
    if (hiddenSize !== this.#context.hiddenSize || tokens < 1 || data.length !== tokens * hiddenSize) {
      throw new TypeError(
        `Inputs of shape [${tokens}, ${hiddenSize}] with ${data.length} values can't be run.`,
      )
    }
    const goal = this.#position + tokens
    if (goal > this.#maxLength) throw new ContextLengthError(goal, this.#maxLength)
    return goal
  }

  /** The one place where failures are met: replace what failed, and go on from what is known. */
  async #untilDone<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    while (true) {
      try {
        if (this.#chain.links.length === 0) await this.#reroute(0, this.#context.blocks, signal)
        const result = await work()
        this.#failovers.settle()
        return result
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof LinkFailure) await this.#replaceFailed(error, signal)
        else if (error instanceof PushLostError) this.#stopPushing(error)
        else throw error
      }
    }
  }

  /** Brings the sessions in line with the position, and renews those that are too short, too old, or gone. */
  async #prepare(needed: number, signal: AbortSignal | undefined): Promise<void> {
    this.#needed = needed
    await this.#findRewindable(signal)
    this.#chain.truncate(
      this.#position,
      ({ span }) => this.#chain.push !== 'at-opening' && this.#rewindable.has(span.peer),
    )
    for (const link of this.#chain.links.filter((each) => this.#mustRenew(each))) this.#renew(link)
    // Servers that were told at the opening whom to hand outputs to can't be told anything else.
    const isBroken = this.#chain.links.some(({ session }) => !session)
    if (isBroken && this.#chain.push === 'at-opening') this.#renewAll()
  }

  #mustRenew({ session }: Link): boolean {
    if (!session) return false
    const isOld = performance.now() - session.startedAt > this.#context.config.sessionLifetimeMs
    return isOld || session.expired || session.maxLength < this.#needed
  }

  #renewAll(): void {
    for (const link of this.#chain.links) this.#renew(link)
  }

  #renew(link: Link): void {
    this.#reopened.add(link.span.peer)
    this.#chain.closeSession(link)
  }

  async #findRewindable(signal: AbortSignal | undefined): Promise<void> {
    const { capabilities } = this.#context
    const ahead = this.#chain.links.filter(({ session }) => session && session.sent > this.#position)
    if (this.#position < minTokensWorthProbing) return
    await Promise.all(
      ahead.map(async ({ span }) => {
        if (await capabilities.canRewind(span, { signal })) this.#rewindable.add(span.peer)
      }),
    )
    signal?.throwIfAborted()
  }

  async #replaceFailed({ index, cause }: LinkFailure, signal: AbortSignal | undefined): Promise<void> {
    const link = this.#chain.links[index]!
    const failedAt = performance.now()
    const { router, logger, dhtPrefix } = this.#context
    const kind = failureKind(cause)
    if (kind === 'client' && this.#learnLimit(link, cause)) return
    if (kind === 'client' && !this.#recovery.failed.has(link.span.peer))
      this.#recovery.failed.add(link.span.peer)
    router.reportFailure(link.span.peer, cause)
    this.#recovery.note(link.span.peer, cause)
    const span = formatBlocks(blocksOf(link.span))
    logger.warn(
      { peer: link.span.peer, span, cause, position: this.#position },
      'a server of the session failed',
    )
    this.#metrics.failovers.add(1, { ...spanLabels(dhtPrefix, link.span), reason: cause.name })
    if (this.#chain.push === 'at-opening') this.#stopPushing(cause)
    this.#chain.dropPushed()
    const replacedBy = await this.#reroute(index, link.span, signal)
    this.#failovers.add({
      failed: link.span,
      reason: cause.message,
      position: this.#position,
      replacedBy,
      failedAt,
    })
  }

  /** Puts other servers in the place of a link, or servers for the whole model where there are none yet. */
  async #reroute(
    index: number,
    blocks: BlockRange,
    signal: AbortSignal | undefined,
  ): Promise<readonly Span[]> {
    const { router, logger, dhtPrefix } = this.#context
    const { failed, policy } = this.#recovery
    const cacheTokens = Math.min(this.#maxLength, this.#needed)
    const spans = await router.route(blocks, { signal, cacheTokens, policy, avoid: failed })
    const pauseMs = this.#recovery.pauseMs(spans.map(({ peer }) => peer))
    if (pauseMs > 0) await delay(pauseMs, undefined, { signal }).catch(() => signal?.throwIfAborted())
    this.#chain.replace(index, spans)
    if (this.#position > 0) this.#metrics.replayedTokens.add(this.#position, { model: dhtPrefix })
    const route = spans.map(({ start, end, peer }) => `${start}:${end} via ${shortPeerId(peer)}`).join(' => ')
    logger.info({ route, position: this.#position }, 'route found')
    this.#chain.push = await this.#choosePush(signal)
    return spans
  }

  /** Only for a chain that has no sessions yet can it be said how outputs travel; steps may name their successors any time. */
  async #choosePush(signal: AbortSignal | undefined): Promise<PushKind | undefined> {
    const { config, router, capabilities } = this.#context
    const route = this.route
    if (config.serverToServer === 'never' || this.#pushFailed || route.length < 2) return undefined
    const plan = planPush({
      route,
      rttSeconds: (peer) => router.leastRttSeconds(peer),
      readsSteps: route.map(() => true),
    })
    if (config.serverToServer === 'auto' && !plan) return undefined
    const readsSteps = await Promise.all(
      route.slice(0, -1).map((span) => capabilities.canRewind(span, { signal })),
    )
    const kind = pushKind(readsSteps)
    return kind === 'at-opening' && this.#position > 0 ? undefined : kind
  }

  #stopPushing(cause: Error): void {
    this.#context.logger.info({ cause }, 'outputs go by this client again: servers could not hand them on')
    this.#recovery.note(undefined, cause)
    this.#pushFailed = true
    // What was handed on at the opening goes on being handed on: only new sessions end that.
    if (this.#chain.push === 'at-opening') this.#renewAll()
    else this.#chain.dropPushed()
    this.#chain.push = undefined
  }

  /** A refusal that says what would be allowed. True if asking again, otherwise, can help. */
  #learnLimit(link: Link, cause: Error): boolean {
    const text = cause instanceof RpcError ? cause.remoteMessage : ''
    const { peer } = link.span
    const { limits } = this.#context
    const length = /^Cannot allocate KV cache for \d+ tokens, max = (\d+)/.exec(text)?.[1]
    const request = /^Task size greater than max_batch_size \((\d+)\)/.exec(text)?.[1]
    if (length !== undefined) {
      limits.maxLengths.set(peer, Number(length))
      if (Number(length) < this.#needed) throw new ContextLengthError(this.#needed, Number(length))
    } else if (request !== undefined && Number(request) < limits.maxRequestTokens) {
      limits.maxRequestTokens = Number(request)
    } else if (link.session?.taken === 0 && !limits.withoutEmptySteps.has(peer))
      limits.withoutEmptySteps.add(peer)
    else return false
    this.#chain.closeSession(link)
    return true
  }

  #openSession(
    link: Link,
    push: Parameters<ConstructorParameters<typeof Chain>[0]['openSession']>[1],
  ): ServerSession {
    const { config, limits } = this.#context
    const { span } = link
    const limit = limits.maxLengths.get(span.peer)
    const allocTimeoutSeconds = this.#reopened.delete(span.peer) ? reallocTimeoutSeconds : undefined
    return new ServerSession({
      ...this.#context,
      ...push,
      span,
      maxLength: sessionLength({ needed: this.#needed, maximum: this.#maxLength, limit, span }),
      openTimeoutMs: config.connectTimeoutMs,
      deadlineScale: this.#recovery.deadlineScale,
      allocTimeoutSeconds,
      withoutEmptySteps: limits.withoutEmptySteps.has(span.peer),
      onStep: (step) => this.#report(span, step),
      onChange: this.#chain.onChange,
    })
  }

  #report(span: Span, { tokens, ms, sentBytes, receivedBytes }: StepCost): void {
    const labels = spanLabels(this.#context.dhtPrefix, span)
    this.#metrics.spanStepSeconds.observe(ms / 1000, { ...labels, phase: phaseOf(tokens) })
    this.#metrics.bytes.add(sentBytes, { ...labels, direction: 'sent' })
    this.#metrics.bytes.add(receivedBytes, { ...labels, direction: 'received' })
  }

  /** Keeps sessions from being taken for forgotten; gives them up when they are. */
  #maintain(): void {
    if (this.#busy || this.#closed) return
    const { idleTimeoutMs, keepAliveMs } = this.#context.config
    if (performance.now() - this.#lastUse > idleTimeoutMs) this.#chain.closeSessions()
    else if (this.#chain.links.some(({ session }) => (session?.idleMs ?? 0) > keepAliveMs))
      this.#chain.keepAlive()
  }
}

function joinValues(outputs: readonly HiddenTensor[], length: number): Float32Array {
  const [only] = outputs
  if (only && outputs.length === 1) return copyValues(only)
  const values = new Float32Array(length)
  let at = 0
  for (const tensor of outputs) {
    const part = copyValues(tensor)
    values.set(part, at)
    at += part.length
  }
  return values
}
