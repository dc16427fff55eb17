import { abortable } from '@petals-chat/engine'
import type { Span } from '../blocks/spans.ts'
import { DeadlineExceededError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { elementCount, tensorValues, type Tensor } from '../tensor/tensor.ts'
import type { Author, Authorship } from './authorship.ts'
import type { Forwarding } from './forwarding.ts'
import { InputHistory } from './input-history.ts'
import { closeSession, closeSpare, type OpenHop, type OpenServerSession } from './open-hop.ts'
import { mostCompared, RecentOutputs } from './recent-outputs.ts'
import { UnfoundedRefusalError } from './refusal.ts'
import { RouteProgress, type Progress } from './route-progress.ts'
import type { Evidence } from './step-observer.ts'
import type { HiddenTensor } from './step-outputs.ts'

/** A hop's server failed. */
export class HopFailure extends Error {
  readonly index: number
  override readonly cause: Error

  constructor(index: number, cause: Error) {
    super(cause.message)
    this.index = index
    this.cause = cause
  }
}

/** The output that one server should have pushed to the next did not arrive in time. Neither need be at fault. */
export class PushLostError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause })
  }
}

export interface OpenRouteOptions {
  readonly hiddenSize: number
  readonly openSession: OpenServerSession
  readonly forwarding: Forwarding
  /** The most tokens that the session will ever hold. */
  readonly maxLength: number
  /** Keep the first and the latest outputs of the last block, as `evidence` of its server. */
  readonly keepsOutputs?: boolean | undefined
}

/**
 * The hops of a route with their server sessions, and what flows through them. It owns the position and the history of
 * inputs. Each hop keeps the inputs of its blocks, and sends its server those that the server lacks; the outputs are the
 * inputs of the next hop. Therefore a prompt, one more token, and the replay on a replacement are the same work: histories
 * are ahead of sessions, and `run` lets the sessions catch up. Outputs of a replay that the next hop already has are dropped.
 */
export class OpenRoute {
  hops: readonly OpenHop[] = []
  forwarding: Forwarding
  readonly #options: OpenRouteOptions
  /** Inputs of the first block; they are ahead of `position` while `run` works. */
  readonly #inputs: InputHistory
  #position = 0
  readonly #progress = new RouteProgress()
  /** Outputs of the last block since `position`. */
  #outputs: HiddenTensor[] = []
  readonly #kept: RecentOutputs | undefined
  /** Servers have sent their outputs to each other. */
  #hasPushed = false

  constructor(options: OpenRouteOptions) {
    this.#options = options
    this.forwarding = options.forwarding
    this.#inputs = new InputHistory(options.hiddenSize)
    this.#kept = options.keepsOutputs ? new RecentOutputs(options.hiddenSize) : undefined
  }

  get maxLength(): number {
    return this.#options.maxLength
  }

  /** Tokens that were run through the whole route. */
  get position(): number {
    return this.#position
  }

  /** How far the servers have brought this session. */
  get progress(): Progress {
    return this.#progress
  }

  /** Bytes of the inputs that are kept for all hops. */
  get historyBytes(): number {
    const histories = new Set([this.#inputs, ...this.hops.map(({ history }) => history)])
    return [...histories].reduce((sum, { byteLength }) => sum + byteLength, this.#kept?.byteLength ?? 0)
  }

  get spans(): readonly Span[] {
    return this.hops.map(({ span }) => span)
  }

  /** Replaces hop `index` by hops for `spans`, or sets the first hops where there are none. */
  replace(index: number, spans: readonly Span[]): void {
    const old = this.hops[index]
    if (old) for (const close of [closeSession, closeSpare]) close(old)
    const hops = spans.map((span, i) => {
      const history = i === 0 ? (old?.history ?? this.#inputs) : new InputHistory(this.#options.hiddenSize)
      return { span, history, session: undefined }
    })
    this.hops = [...this.hops.slice(0, index), ...hops, ...this.hops.slice(index + 1)]
  }

  /** Returns the position up to which the outputs of hop `index` are known. */
  answeredTo(index: number): number {
    return this.hops[index + 1]?.history.length ?? this.#collected
  }

  /**
   * Makes the spare of hop `index` its server, if it has all that is needed. Returns false if there is no such spare: one that
   * is open, has room for the session, and will still send the outputs that are not known.
   */
  promote(index: number): boolean {
    const hop = this.hops[index]!
    const { spare, history } = hop
    const isAble =
      !this.forwarding.isFixedAtOpening &&
      spare?.isOpen === true &&
      spare.taken <= this.answeredTo(index) &&
      spare.maxLength >= this.#inputs.length
    if (!isAble) return false
    closeSession(hop)
    this.hops = this.hops.with(index, { span: spare.span, history, session: spare })
    return true
  }

  /** Adds inputs after `position`, for `run`. */
  begin(inputs: HiddenTensor): void {
    this.#inputs.append(inputs)
    this.#outputs = []
  }

  /**
   * Runs the inputs that were added through all hops, moves `position` behind them, and returns the outputs of the last
   * block. When it has thrown a HopFailure, and the hop was replaced, a second call continues the work.
   * @throws HopFailure, PushLostError
   */
  async run(signal: AbortSignal): Promise<readonly HiddenTensor[]> {
    const goal = this.#inputs.length
    this.#hasPushed ||= this.forwarding.isPushed
    await this.#until(signal, () => {
      this.#takeOutputs()
      this.forwarding.send(this.hops)
      return this.#collected === goal && this.hops.every(({ session }) => session?.taken === goal)
    })
    this.#position = goal
    const outputs = this.#outputs
    this.#outputs = []
    return outputs
  }

  /** Opens the sessions that are missing, and waits until all are open. @throws HopFailure, PushLostError */
  async ready(signal: AbortSignal): Promise<void> {
    await this.#until(signal, () => this.hops.every(({ session }) => session?.isOpen))
  }

  /** Moves back to `position`. Servers and histories follow with `truncate`. @throws RangeError */
  rewind(position: number): void {
    if (!Number.isInteger(position) || position < 0 || position > this.#position) {
      throw new RangeError(`Can't rewind to ${position}: the session holds ${this.#position} tokens.`)
    }
    this.#position = position
    this.#progress.rewind(position)
  }

  /** Forgets the inputs after `position`. Rewinds or closes the sessions whose servers have them, or may have them. */
  truncate(canRewind: (server: Pick<OpenHop, 'span'>) => boolean): void {
    for (const hop of this.hops) {
      hop.history.truncate(this.#position)
      const { session, spare } = hop
      if (spare && spare.sent > this.#position) {
        if (spare.isOpen && spare.pending === 0 && canRewind(spare)) spare.rewind(this.#position)
        else closeSpare(hop)
      }
      if (!session || (session.sent <= this.#position && session.pending === 0)) continue
      if (session.pending === 0 && !session.failure && canRewind(hop)) session.rewind(this.#position)
      else closeSession(hop)
    }
    this.#inputs.truncate(this.#position)
    this.#kept?.truncate(this.#position)
  }

  /**
   * Returns copies of what the server of hop `index` was sent up to position `end`, and of the last of its outputs that were
   * used, all of one session; undefined if those are not its own, or not kept.
   */
  evidence(index: number, end: number): Evidence | undefined {
    const { span, history } = this.hops[index]!
    const next = this.hops[index + 1]?.history
    const answers = next ?? this.#kept
    const author = answers?.authors.before(end)
    if (!answers || !author || !isSameSpan(author.span, span) || end > this.#position) return undefined
    const keptSince = next ? 0 : this.#kept!.sinceBefore(end)
    if (keptSince === undefined) return undefined
    const from = Math.max(author.from, end - mostCompared, keptSince)
    const outputs = next ? [next.slice(from, end, 'float32')] : this.#kept!.slice(from, end, 'float32')
    return {
      span: author.span,
      from,
      maxLength: this.maxLength,
      inputs: valuesOf([history.slice(0, end, 'float32')]),
      outputs: valuesOf(outputs),
      pushedBy: this.#hasPushed ? this.hops[index - 1]?.span.peer : undefined,
    }
  }

  /**
   * Returns the outputs of positions [start, end) of hop `index` that were used, [tokens, hidden]; undefined if they are not
   * kept, or not all of the server that the hop has now.
   */
  usedOutputs(index: number, start: number, end: number): Float32Array | undefined {
    const next = this.hops[index + 1]?.history
    const author = (next ?? this.#kept)?.authors.before(end)
    if (!author || author.from > start || !isSameSpan(author.span, this.hops[index]!.span)) return undefined
    if (next) return valuesOf([next.slice(start, end, 'float32')])
    const keptSince = this.#kept!.sinceBefore(end) ?? Infinity
    return keptSince <= start ? valuesOf(this.#kept!.slice(start, end, 'float32')) : undefined
  }

  /** Returns the first position of which this server's outputs were used; undefined if there is none. */
  firstUseOf(peer: PeerId): number | undefined {
    const firsts = this.#answers.flatMap(({ authors }) => authors.firstOf(peer) ?? [])
    return firsts.length > 0 ? Math.min(...firsts) : undefined
  }

  /** Servers whose outputs were used, also such as have been replaced since. */
  get authors(): ReadonlySet<PeerId> {
    return new Set(this.#answers.flatMap(({ authors }) => [...authors.authors]))
  }

  /**
   * Forgets all outputs of these servers and what others computed from them: the histories of the hops behind them, and the
   * KV caches that were filled with those, and their own KV caches. `run` computes them again.
   */
  disown(peers: ReadonlySet<PeerId>): void {
    const isTheirs = ({ authors }: { readonly authors: Authorship }): boolean =>
      [...authors.authors].some((author) => peers.has(author))
    const first = this.hops.findIndex(({ history }) => isTheirs(history))
    if (first > 0) {
      for (const hop of this.hops.slice(first)) hop.history.truncate(0)
      // The hop before them has to send all its outputs again.
      for (const hop of this.hops.slice(first - 1)) closeSession(hop)
      for (const hop of this.hops.slice(first - 1)) closeSpare(hop)
    }
    for (const hop of this.hops) {
      if (peers.has(hop.span.peer)) closeSession(hop)
      if (hop.spare && peers.has(hop.spare.span.peer)) closeSpare(hop)
    }
    if (first > 0 || (this.#kept && isTheirs(this.#kept))) this.#kept?.truncate(0)
  }

  /** Forgets what servers computed from inputs that other servers had sent them. */
  disownPushed(): void {
    this.disown(new Set(this.hops.slice(1).map(({ span }) => span.peer)))
    this.#hasPushed = false
  }

  /** What is kept of the outputs of each hop. */
  get #answers(): readonly { readonly authors: Authorship }[] {
    const histories = this.hops.slice(1).map(({ history }) => history)
    return this.#kept ? [...histories, this.#kept] : histories
  }

  closeSessions(): void {
    for (const hop of this.hops) for (const close of [closeSession, closeSpare]) close(hop)
  }

  /** Sends empty steps, so that servers don't end idle sessions. */
  keepAlive(): void {
    for (const [i, hop] of this.hops.entries()) {
      const { session, spare } = hop
      if (session?.isOpen && session.pending === 0 && session.taken > 0)
        this.forwarding.keepAlive(session, hop, i)
      if (spare?.isOpen && spare.pending === 0) spare.sendEmpty()
    }
  }

  /** Position that the outputs of the last block have reached. */
  get #collected(): number {
    return this.#outputs.reduce((sum, { shape }) => sum + shape[1]!, this.#position)
  }

  /** The one place that awaits the server sessions: does what can be done now, then waits for the next change of any. */
  async #until(signal: AbortSignal, isDone: () => boolean): Promise<void> {
    while (true) {
      signal.throwIfAborted()
      this.forwarding.open(this.hops, this.#options.openSession)
      this.#throwFailures()
      if (isDone()) return
      const changes = this.hops.flatMap(({ session }) => session?.changed ?? [])
      await abortable(Promise.race(changes), signal)
    }
  }

  #takeOutputs(): void {
    this.hops.forEach(({ session }, i) => {
      if (!session) return
      let from = session.taken
      for (let outputs = session.take(); outputs; outputs = session.take()) {
        const fresh = this.#passOn(i + 1, outputs, from, session)
        this.#progress.note(session.span, { from, to: session.taken, fresh })
        from = session.taken
      }
    })
  }

  /**
   * Makes outputs of the positions from `from` on inputs of hop `index`, or results. Drops what is known already, and returns
   * the number of tokens that were not.
   */
  #passOn(index: number, outputs: HiddenTensor, from: number, author: Author): number {
    const next = this.hops[index]
    const fresh = skipTokens(outputs, (next ? next.history.length : this.#collected) - from)
    if (next) {
      if (fresh) next.history.append(fresh, author)
      next.session?.inputsArrived()
    } else if (fresh) {
      this.#kept?.append(fresh, this.#collected, author)
      this.#outputs.push(fresh)
    }
    return fresh?.shape[1] ?? 0
  }

  #throwFailures(): void {
    this.hops.forEach(({ session }, i) => {
      if (!session?.failure) return
      // What was pushed to a server is not known here: it may have been late, or nothing that the server could accept.
      const isDoubtful =
        session.failure instanceof DeadlineExceededError || session.failure instanceof UnfoundedRefusalError
      // Where a standby was faster, pushes need not be given up.
      throw isDoubtful && !session.isGivenUp && this.forwarding.mayAwaitPush(session, i)
        ? new PushLostError(session.failure)
        : new HopFailure(i, session.failure)
    })
  }
}

const isSameSpan = (a: Span, b: Span): boolean => a.peer === b.peer && a.start === b.start && a.end === b.end

/** Returns the tensor without its first `count` tokens; undefined if none are left. */
function skipTokens(tensor: HiddenTensor, count: number): HiddenTensor | undefined {
  const [, tokens, hiddenSize] = tensor.shape as [number, number, number]
  if (count <= 0) return tensor
  if (count >= tokens) return undefined
  const tokenBytes = tensor.data.byteLength / tokens
  return { ...tensor, shape: [1, tokens - count, hiddenSize], data: tensor.data.subarray(count * tokenBytes) }
}

function valuesOf(tensors: readonly Tensor[]): Float32Array {
  const values = new Float32Array(tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0))
  let at = 0
  for (const tensor of tensors) {
    const part = tensorValues(tensor)
    values.set(part, at)
    at += part.length
  }
  return values
}
