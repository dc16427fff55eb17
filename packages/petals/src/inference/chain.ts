import type { BlockRange } from '../blocks/block-range.ts'
import type { Span } from '../blocks/spans.ts'
import { DeadlineExceededError } from '../errors.ts'
import type { FloatDtype } from '../tensor/dtype.ts'
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
  #closed = false

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

  /** Lets all sessions reach position `goal`; returns the outputs of the last block from `start` on. @throws LinkFailure */
  async run(start: number, goal: number, signal: AbortSignal | undefined): Promise<readonly HiddenTensor[]> {
    const outputs: HiddenTensor[] = []
    let collected = start
    const collect = (tensor: HiddenTensor, from: number): void => {
      const fresh = from < collected ? skipTokens(tensor, collected - from) : tensor
      collected += fresh?.shape[1] ?? 0
      if (fresh) outputs.push(fresh)
    }
    while (true) {
      this.#open()
      this.#advance(goal, collect)
      if (this.links.every(({ session }) => session?.taken === goal) && collected >= goal) return outputs
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
  #advance(goal: number, collect: (outputs: HiddenTensor, from: number) => void): void {
    this.#throwFailures()
    this.#takeOutputs(collect)
    if (this.push && this.#pushStep(goal)) return
    if (this.push === 'at-opening') return
    for (const link of this.links) this.#sendInputs(link)
  }

  #takeOutputs(collect: (outputs: HiddenTensor, from: number) => void): void {
    this.links.forEach(({ session }, i) => {
      if (!session) return
      const next = this.links[i + 1]
      for (
        let from = session.taken, outputs = session.take();
        outputs;
        from = session.taken, outputs = session.take()
      ) {
        if (!next) collect(outputs, from)
        else {
          const fresh = skipTokens(outputs, next.history.length - from)
          if (fresh) next.history.append(fresh)
          next.session?.inputsArrived()
        }
      }
    })
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
   * such a step is under way. Where steps name their successors, longer ones are relayed as usual.
   */
  #pushStep(goal: number): boolean {
    const sessions = this.links.map(({ session }) => session)
    if (!sessions.every((session): session is ServerSession => session?.isOpen ?? false)) return false
    if (sessions.some(({ pending }) => pending > 0)) return true
    const [first, ...others] = sessions
    const position = first!.sent
    const inSync = others.every(
      (session, i) => session.sent === position && this.links[i + 1]!.history.length === position,
    )
    const tokens = Math.min(goal - position, maxPushedTokens(this.#options.hiddenSize))
    if (!inSync || tokens <= 0 || (this.push === 'per-step' && tokens < goal - position)) return false
    const inputs = this.inputs.slice(position, position + tokens, first!.dtype as FloatDtype)
    const perStep = this.push === 'per-step' && {
      startFromPosition: position,
      nextServers: others.map((session) => session.asNextServer),
    }
    first!.send({ inputs, stepId: `${this.#stepNumber++}`, ...perStep })
    for (const session of others) session.expectPushed(tokens)
    return true
  }

  #throwFailures(): void {
    this.links.forEach(({ session }, i) => {
      const failure = session?.failure
      if (!failure) return
      if (this.push && i > 0 && failure instanceof DeadlineExceededError) throw new PushLostError(i, failure)
      throw new LinkFailure(i, failure)
    })
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
