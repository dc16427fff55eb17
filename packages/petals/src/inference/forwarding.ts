import type { PeerId } from '../p2p/peer-id.ts'
import type { NextServer } from './inference-methods.ts'
import { closeSession, type OpenHop, type OpenServerSession } from './open-hop.ts'
import { maxPushedTokens, type PushKind } from './push-plan.ts'
import type { ServerSession } from './server-session.ts'

/** How the outputs of one hop reach the server of the next one. There is one strategy for each way. */
export interface Forwarding {
  /** Outputs go from server to server instead of through this client. */
  readonly isPushed: boolean
  /** Servers learn only while their sessions open where they push to. So no session can be replaced or rewound alone. */
  readonly isFixedAtOpening: boolean
  /** Opens the sessions that are missing, as far as they can be opened now. */
  open(hops: readonly OpenHop[], openSession: OpenServerSession): void
  /** Sends what the histories hold and the servers lack, as far as it can be sent now. */
  send(hops: readonly OpenHop[]): void
  /** Sends an empty step to an open session, so that its server does not end it. */
  keepAlive(session: ServerSession, hop: OpenHop, index: number): void
  /** Reports whether a server that missed a deadline may only have been waiting for a push. */
  mayAwaitPush(session: ServerSession, index: number): boolean
  /** Closes the sessions that await a push: whether it will arrive is unknown. */
  dropPushed(hops: readonly OpenHop[]): void
}

export interface ForwardingOptions {
  readonly hiddenSize: number
  /** Tokens of one request while a prompt is run, at most. */
  readonly chunkTokens: number
  /** Most tokens that a server accepts in one request, as far as that is known. */
  readonly requestTokens: (peer: PeerId) => number
}

/** @param kind undefined: through this client */
export function createForwarding(kind: PushKind | undefined, options: ForwardingOptions): Forwarding {
  if (kind === undefined) return new RelayForwarding(options)
  return kind === 'per-step' ? new PerStepPush(options) : new AtOpeningPush(options)
}

/** Steps that are pending on one server: it works on one, and the others wait there instead of here. */
const maxPending = 3

/** Outputs come to this client, which sends them to the next server. */
class RelayForwarding implements Forwarding {
  readonly isPushed: boolean = false
  readonly isFixedAtOpening: boolean = false
  protected readonly options: ForwardingOptions

  constructor(options: ForwardingOptions) {
    this.options = options
  }

  open(hops: readonly OpenHop[], openSession: OpenServerSession): void {
    for (const hop of hops) hop.session ??= openSession(hop, {})
  }

  send(hops: readonly OpenHop[]): void {
    for (const { session, history, span } of hops) {
      if (!session?.isOpen) continue
      const chunkTokens = Math.min(this.options.chunkTokens, this.options.requestTokens(span.peer))
      while (session.sent < history.length && session.pending < maxPending) {
        const end = Math.min(history.length, session.sent + chunkTokens)
        session.send({ inputs: history.slice(session.sent, end, session.dtype!) })
      }
    }
  }

  keepAlive(session: ServerSession, { history }: OpenHop, _index: number): void {
    session.send({ inputs: history.slice(0, 0, session.dtype!) })
  }

  mayAwaitPush(_session: ServerSession, _index: number): boolean {
    return false
  }

  dropPushed(_hops: readonly OpenHop[]): void {}
}

/** A step that goes to the first server only. One at a time, because pushes can overtake each other. */
class PushedStep {
  #isRunning = false

  /** Reports whether the last one is still running. */
  isRunning(hops: readonly OpenHop[]): boolean {
    const isIdle = hops.every(({ session }) => session?.isOpen && session.pending === 0)
    if (isIdle) this.#isRunning = false
    return this.#isRunning
  }

  get mayBeRunning(): boolean {
    return this.#isRunning
  }

  /** Sends the next `tokens` to the first server, and makes the others expect them. */
  send(hops: readonly OpenHop[], tokens: number, nextServers?: readonly NextServer[]): void {
    const [first, ...others] = hops.map(({ session }) => session!) as [ServerSession, ...ServerSession[]]
    const position = first.sent
    const inputs = hops[0]!.history.slice(position, position + tokens, first.dtype!)
    const perStep = nextServers && { nextServers, startFromPosition: position }
    first.send({ inputs, stepId: crypto.randomUUID(), ...perStep })
    for (const session of others) session.expectPushed(tokens)
    this.#isRunning = true
  }

  drop(hops: readonly OpenHop[]): void {
    if (!this.#isRunning) return
    this.#isRunning = false
    for (const hop of hops.slice(1)) if ((hop.session?.pending ?? 0) > 0) closeSession(hop)
  }
}

/** Returns the tokens of the next push; undefined while a session is not open or busy, 0 if servers are not in step. */
function pushableTokens(
  hops: readonly OpenHop[],
  { hiddenSize, requestTokens }: ForwardingOptions,
): number | undefined {
  const sessions = hops.map(({ session }) => session)
  if (sessions.some((session) => !session?.isOpen || session.pending > 0)) return undefined
  const position = sessions[0]!.sent
  if (sessions.some((session) => session!.sent !== position)) return 0
  const limits = hops.map(({ span }) => requestTokens(span.peer))
  return Math.min(hops[0]!.history.length - position, maxPushedTokens(hiddenSize), ...limits)
}

/** Each step names the servers that its outputs are pushed to. Replays, and steps that don't fit into a push, are relayed. */
class PerStepPush extends RelayForwarding {
  override readonly isPushed = true
  readonly #step = new PushedStep()

  override send(hops: readonly OpenHop[]): void {
    if (this.#step.isRunning(hops)) return
    const tokens = pushableTokens(hops, this.options) ?? 0
    const [first, ...others] = hops
    const isWhole = tokens > 0 && first!.session!.sent + tokens === first!.history.length
    if (!isWhole) return super.send(hops)
    this.#step.send(
      hops,
      tokens,
      others.map(({ session }) => session!.asNextServer),
    )
  }

  override mayAwaitPush(_session: ServerSession, index: number): boolean {
    return index > 0 && this.#step.mayBeRunning
  }

  override dropPushed(hops: readonly OpenHop[]): void {
    this.#step.drop(hops)
  }
}

/** Each server learns from its session's opening request where it pushes every output to. */
class AtOpeningPush extends RelayForwarding {
  override readonly isPushed = true
  override readonly isFixedAtOpening = true
  readonly #step = new PushedStep()

  /** From the last hop to the first, because each opening request names the sessions of the hops after it. */
  override open(hops: readonly OpenHop[], openSession: OpenServerSession): void {
    for (const [i, hop] of [...hops.entries()].reverse()) {
      const later = hops.slice(i + 1).map(({ session }) => session!)
      if (later.some((session) => session.dtype === undefined)) return
      const nextServers = later.map((session) => session.asNextServer)
      hop.session ??= openSession(hop, { nextServers, pushedOpenings: i })
    }
  }

  override send(hops: readonly OpenHop[]): void {
    if (this.#step.isRunning(hops)) return
    const tokens = pushableTokens(hops, this.options) ?? 0
    if (tokens > 0) this.#step.send(hops, tokens)
  }

  override keepAlive(session: ServerSession, hop: OpenHop, index: number): void {
    if (index > 0) session.expectPushed(0)
    else super.keepAlive(session, hop, index)
  }

  /** It may also await the empty step of an opening. */
  override mayAwaitPush({ dtype }: ServerSession, index: number): boolean {
    return index > 0 && (this.#step.mayBeRunning || dtype !== undefined)
  }

  override dropPushed(hops: readonly OpenHop[]): void {
    this.#step.drop(hops)
  }
}
