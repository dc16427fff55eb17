import type { BlockRange } from '../blocks/block-range.ts'
import type { Span } from '../blocks/spans.ts'
import { DeadlineExceededError } from '../errors.ts'
import { InputHistory } from './input-history.ts'
import { maxPushedTokens, type PushKind } from './push-plan.ts'
import type { ServerSession, ServerSessionOptions } from './server-session.ts'
import type { HiddenTensor } from './step-outputs.ts'

/** Steps on their way to one server: it works on one, the others wait there instead of on the line. */
const maxPending = 3

/** One span of the route. */
export interface Link {
  readonly span: Span
  /** All inputs of this span since position 0. */
  readonly history: InputHistory
  session: ServerSession | undefined
}

/** A server failed its part. */
export class LinkFailure extends Error {
  readonly index: number
  override readonly cause: Error

  constructor(index: number, cause: Error) {
    super(cause.message)
    this.index = index
    this.cause = cause
  }
}

/** What one server should have handed on to the next did not get there in time. Neither need be at fault. */
export class PushLostError extends Error {
  readonly index: number

  constructor(index: number, cause: Error) {
    super(cause.message, { cause })
    this.index = index
  }
}

export type OpenSession = (
  link: Link,
  options: Pick<ServerSessionOptions, 'nextServers' | 'pushedOpenings'>,
) => ServerSession

export interface ChainOptions {
  readonly hiddenSize: number
  readonly blocks: BlockRange
  /** Tokens of one request while a prompt is run. */
  readonly chunkTokens: () => number
  readonly openSession: OpenSession
}

/**
 * The servers of a route, one after the other, and what flows between them. Each link has the inputs of its span in its
 * history, and sends its server whatever that has not had; outputs are the next link's inputs. So running a prompt, one
 * more token, and the replay on a server that took over are the same: histories are ahead of sessions, and `run` lets the
 * sessions catch up. Outputs of a replay that the next link has already are dropped.
 */
export class Chain {
  links: readonly Link[] = []
  /** Inputs of the first block. */
  readonly inputs: InputHistory
  /** How outputs reach the next server; undefined: by us. */
  push: PushKind | undefined
  readonly #options: ChainOptions
  #changed = Promise.withResolvers<void>()
  #stepNumber = 0
  /** A pushed step is under way. */
  #pushing = false
  #closed = false
  /** Outputs of the last block since `begin`, and the position that they reach. */
  #outputs: HiddenTensor[] = []
  #collected = 0

  constructor(options: ChainOptions) {
    this.#options = options
    this.inputs = new InputHistory(options.hiddenSize)
  }

  /** Called by sessions. */
  readonly onChange = (): void => {
    this.#changed.resolve()
  }

  /** Puts these spans in the place of link `index`, or of nothing, if there are no links yet. */
  replace(index: number, spans: readonly Span[]): void {
    const old = this.links[index]
    old?.session?.close()
    const links = spans.map((span, i) => {
      const history = i === 0 ? (old?.history ?? this.inputs) : new InputHistory(this.#options.hiddenSize)
      return { span, history, session: undefined }
    })
    this.links = [...this.links.slice(0, index), ...links, ...this.links.slice(index + 1)]
  }

  /** New inputs follow, from `position` on; outputs of the last block are collected from there. */
  begin(position: number, inputs: HiddenTensor): void {
    this.inputs.append(inputs)
    this.#outputs = []
    this.#collected = position
  }

  /**
   * Lets all sessions reach position `goal`; returns the outputs of the last block since `begin`. After a failure, and with
   * the link replaced, it goes on where it was. @throws LinkFailure, PushLostError
   */
  async run(goal: number, signal: AbortSignal | undefined): Promise<readonly HiddenTensor[]> {
    while (true) {
      this.#open()
      this.#advance(goal)
      if (this.#collected >= goal && this.links.every(({ session }) => session?.taken === goal))
        return this.#outputs
      await this.#nextChange(signal)
    }
  }

  /** Opens what is not open, and waits until all are. @throws LinkFailure */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    while (true) {
      this.#open()
      this.#throwFailures()
      if (this.links.every(({ session }) => session?.isOpen)) return
      await this.#nextChange(signal)
    }
  }

  /** Back to `position`: later inputs are forgotten, and sessions that had them, or may have, are closed or rewound. */
  truncate(position: number, canRewind: (link: Link) => boolean): void {
    for (const link of this.links) {
      link.history.truncate(position)
      const { session } = link
      if (!session || (session.sent <= position && session.pending === 0)) continue
      if (session.pending === 0 && !session.failure && canRewind(link)) session.rewind(position)
      else this.closeSession(link)
    }
    this.inputs.truncate(position)
  }

  closeSession(link: Link): void {
    link.session?.close()
    link.session = undefined
  }

  closeSessions(): void {
    for (const link of this.links) this.closeSession(link)
  }

  /** For good: a run under way throws. */
  close(): void {
    this.#closed = true
    this.closeSessions()
    this.onChange()
  }

  /** Asks for nothing, so that servers don't take the session for forgotten. */
  keepAlive(): void {
    for (const [i, { session }] of this.links.entries()) {
      if (!session?.isOpen || session.pending > 0 || session.taken === 0) continue
      if (this.push === 'at-opening' && i > 0) session.expectPushed(0)
      else session.send({ inputs: this.links[i]!.history.slice(0, 0, session.dtype!) })
    }
  }

  /** Starts the sessions that are missing: all at once, or, where openings are pushed, the last first. */
  #open(): void {
    const { openSession } = this.#options
    if (this.push !== 'at-opening') {
      for (const link of this.links) link.session ??= openSession(link, {})
      return
    }
    for (const [i, link] of [...this.links.entries()].reverse()) {
      const later = this.links.slice(i + 1).map(({ session }) => session!)
      if (later.some((session) => session.dtype === undefined)) return
      const nextServers = later.map((session) => session.asNextServer)
      link.session ??= openSession(link, { nextServers, pushedOpenings: i })
    }
  }

  /** Takes what came, sends what can be sent. */
  #advance(goal: number): void {
    this.#throwFailures()
    this.#takeOutputs()
    if (this.push && this.#pushStep(goal)) return
    if (this.push === 'at-opening') return
    for (const link of this.links) this.#sendInputs(link)
  }

  #takeOutputs(): void {
    this.links.forEach(({ session }, i) => {
      if (!session) return
      for (
        let from = session.taken, outputs = session.take();
        outputs;
        from = session.taken, outputs = session.take()
      ) {
        this.#passOn(i + 1, outputs, from)
      }
    })
  }

  /** Outputs of positions from `from` on become inputs of link `index`, or results; what is known already is dropped. */
  #passOn(index: number, outputs: HiddenTensor, from: number): void {
    const next = this.links[index]
    const fresh = skipTokens(outputs, (next ? next.history.length : this.#collected) - from)
    if (next) {
      if (fresh) next.history.append(fresh)
      next.session?.inputsArrived()
    } else if (fresh) {
      this.#outputs.push(fresh)
      this.#collected += fresh.shape[1]!
    }
  }

  #sendInputs({ history, session }: Link): void {
    if (!session?.isOpen) return
    while (session.sent < history.length && session.pending < maxPending) {
      const end = Math.min(history.length, session.sent + this.#options.chunkTokens())
      session.send({ inputs: history.slice(session.sent, end, session.dtype!) })
    }
  }

  /**
   * Sends one step to the first server, to be handed on from there. One at a time: pushes can overtake each other. True if
   * such a step is under way. Where steps name their successors, those that don't fit, and replays, are relayed as usual.
   */
  #pushStep(goal: number): boolean {
    const sessions = this.links
      .map(({ session }) => session)
      .filter((session) => session?.isOpen) as ServerSession[]
    if (sessions.length < this.links.length) return this.#pushing
    if (sessions.some(({ pending }) => pending > 0)) return this.#pushing
    this.#pushing = false
    const [first, ...others] = sessions as [ServerSession, ...ServerSession[]]
    const position = first.sent
    const tokens = Math.min(goal - position, maxPushedTokens(this.#options.hiddenSize))
    if (tokens <= 0 || others.some(({ sent }) => sent !== position)) return false
    if (this.push === 'per-step' && tokens < goal - position) return false
    const inputs = this.inputs.slice(position, position + tokens, first.dtype!)
    const perStep = this.push === 'per-step' && {
      startFromPosition: position,
      nextServers: others.map((session) => session.asNextServer),
    }
    first.send({ inputs, stepId: `${this.#stepNumber++}`, ...perStep })
    for (const session of others) session.expectPushed(tokens)
    this.#pushing = true
    return true
  }

  /** Ends the sessions that wait for what a server before them was to hand on: whether it came, nobody can tell. */
  dropPushed(): void {
    if (!this.#pushing) return
    this.#pushing = false
    for (const link of this.links.slice(1)) if ((link.session?.pending ?? 0) > 0) this.closeSession(link)
  }

  #throwFailures(): void {
    this.links.forEach(({ session }, i) => {
      if (!session?.failure) return
      throw this.#isPushLost(session, i)
        ? new PushLostError(i, session.failure)
        : new LinkFailure(i, session.failure)
    })
  }

  /** A later server that is late may only be waiting itself: for a step, or for the empty one of an opening. */
  #isPushLost({ failure, dtype }: ServerSession, index: number): boolean {
    const isWaiting = this.#pushing || (this.push === 'at-opening' && dtype !== undefined)
    return isWaiting && index > 0 && failure instanceof DeadlineExceededError
  }

  async #nextChange(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    const onAbort = (): void => this.#changed.resolve()
    signal?.addEventListener('abort', onAbort)
    try {
      await this.#changed.promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
    this.#changed = Promise.withResolvers<void>()
    signal?.throwIfAborted()
    if (this.#closed) throw new Error('The session was closed.')
  }
}

/** The tensor without its first `count` tokens; undefined if none are left. */
function skipTokens(tensor: HiddenTensor, count: number): HiddenTensor | undefined {
  const [, tokens, hiddenSize] = tensor.shape as [number, number, number]
  if (count <= 0) return tensor
  if (count >= tokens) return undefined
  const tokenBytes = tensor.data.byteLength / tokens
  return { ...tensor, shape: [1, tokens - count, hiddenSize], data: tensor.data.subarray(count * tokenBytes) }
}
