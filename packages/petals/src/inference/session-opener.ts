import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { InferenceContext } from './inference-context.ts'
import { phaseOf, spanLabels, type InferenceMetrics, type Phase } from './inference-metrics.ts'
import { ServerSession, type ServerSessionOptions, type StepCost } from './server-session.ts'
import { leastSessionLength, sessionLength } from './session-length.ts'

/** A server whose session was just closed may need a moment to free its KV cache. */
const reallocTimeoutSeconds = 2

/** Opens server sessions of the length that is needed. */
export class SessionOpener {
  /** Tokens that server sessions must hold. */
  needed = 0
  /** Steps of so many tokens are those of an answer: the one that was chosen last, and drafts. Others run again what is known. */
  answerTokens = 1
  /** A server had no room, so request no more than is needed. */
  isTight = false
  readonly #context: InferenceContext
  readonly #metrics: InferenceMetrics
  readonly #maxLength: number
  /** Peers on which a session was just closed. */
  readonly #busy = new Set<PeerId>()

  constructor(context: InferenceContext, metrics: InferenceMetrics, maxLength: number) {
    this.#context = context
    this.#metrics = metrics
    this.#maxLength = maxLength
  }

  /** Notes that a session on this peer is closed and will be opened again. */
  expectBusy(peer: PeerId): void {
    this.#busy.add(peer)
  }

  /** Reports whether the server is known to refuse sessions of the length that is needed. */
  isTooLongFor(peer: PeerId): boolean {
    return this.#context.limits.sessionTokens(peer) < this.needed
  }

  /** Tokens of KV cache that a server is asked for at least, unless it has a limit. */
  get leastLength(): number {
    return leastSessionLength(this.needed, this.#maxLength)
  }

  /** Returns how many tokens of KV cache to ask the server for, if `needed` must fit. */
  lengthOn(span: Span, needed = this.needed): number {
    const limit = this.#context.limits.sessionTokens(span.peer)
    return sessionLength({ needed, maximum: this.#maxLength, limit, tight: this.isTight, span })
  }

  open(
    span: Span,
    push: Pick<ServerSessionOptions, 'nextServers' | 'pushedOpenings'>,
    deadlineScale: number,
    maxLength = this.lengthOn(span),
  ): ServerSession {
    const { config, limits, rpc } = this.#context
    let steppedAt: number | undefined
    const session: ServerSession = new ServerSession({
      ...this.#context,
      ...push,
      span,
      maxLength,
      openTimeoutMs: Math.min(rpc.patience(config.connectTimeoutMs) * deadlineScale, config.stepTimeoutMs),
      deadlineScale,
      allocTimeoutSeconds: this.#busy.delete(span.peer) ? reallocTimeoutSeconds : undefined,
      withoutEmptySteps: limits.failsAtEmptySteps(span.peer),
      onStep: (step) => {
        const phase = phaseOf(step.tokens, step.tokens === this.answerTokens)
        this.#report(span, step, phase)
        this.#reportLoad(session, step, steppedAt)
        steppedAt = performance.now()
      },
      onOver: () => this.#context.router.reportEnd(span.peer, session.id),
    })
    this.#context.router.reportOpening(span, session.id, maxLength)
    return session
  }

  /** @param before when the session's last step was answered, `performance.now()` milliseconds */
  #reportLoad(
    { id, span }: ServerSession,
    { tokens, ms, sentBytes }: StepCost,
    before: number | undefined,
  ): void {
    const { peer, start, end } = span
    const tokenMs = before === undefined ? ms : performance.now() - before
    const isPushed = sentBytes === 0
    this.#context.router.reportStep({ peer, session: id, tokens, blocks: end - start, ms, tokenMs, isPushed })
  }

  #report(span: Span, { ms, sentBytes, receivedBytes, compression }: StepCost, phase: Phase): void {
    this.#context.codecs.note(span.peer, compression)
    const labels = spanLabels(this.#context.dhtPrefix, span)
    this.#metrics.spanStepSeconds.observe(ms / 1000, { ...labels, phase })
    this.#metrics.bytes.add(sentBytes, { ...labels, direction: 'sent' })
    this.#metrics.bytes.add(receivedBytes, { ...labels, direction: 'received' })
  }
}
