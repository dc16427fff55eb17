import { rangeUid } from '../blocks/block-uid.ts'
import type { Span } from '../blocks/spans.ts'
import { DeadlineExceededError } from '../errors.ts'
import type { RpcClient, RpcStream } from '../rpc/rpc-client.ts'
import { startTimeout } from '../rpc/running-timeout.ts'
import { withPeer } from '../rpc/with-peer.ts'
import type { FloatDtype } from '../tensor/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { ExpertRequest, ExpertResponse } from '../wire/runtime.ts'
import {
  inferenceMethod,
  noInputs,
  openingRequest,
  stepRequest,
  type NextServer,
  type StepRequest,
} from './inference-methods.ts'
import { checkRefusal, type Asked } from './refusal.ts'
import {
  awaited,
  initialState,
  isOver,
  takenOf,
  tokensDue,
  transition,
  type PendingStep,
  type SessionEvent,
  type SessionState,
} from './server-session-state.ts'
import { deadlineOf, type DeadlineOptions } from './session-deadline.ts'
import { maxResponseBytes, readOutputs, type HiddenTensor } from './step-outputs.ts'

export interface ServerSessionOptions extends DeadlineOptions {
  readonly rpc: RpcClient
  readonly dhtPrefix: string
  readonly hiddenSize: number
  /** Tokens that the server's KV cache shall hold. */
  readonly maxLength: number
  readonly adapter?: string | undefined
  /** Where the server shall push every output to (2.2.0.post1). */
  readonly nextServers?: readonly NextServer[] | undefined
  /** Empty steps that will be pushed to this session while its predecessors open: one for each of them. */
  readonly pushedOpenings?: number | undefined
  /** The session's first step opens it, because this server can't answer an empty step. */
  readonly withoutEmptySteps?: boolean | undefined
  /** How long the server may wait for room in its KV cache. */
  readonly allocTimeoutSeconds?: number | undefined
  /** Called with the cost of each step. */
  readonly onStep?: ((step: StepCost) => void) | undefined
  /** Called once, when the session is over. */
  readonly onOver?: (() => void) | undefined
}

export interface StepCost {
  readonly tokens: number
  readonly ms: number
  /** Bytes of hidden states on the wire; 0 if another server pushed them. */
  readonly sentBytes: number
  readonly receivedBytes: number
  /** Compression of the outputs, by its number in hivemind. */
  readonly compression: number
}

/**
 * One hop's session on its server: {@link SessionState} with a stream and a deadline. Steps are answered in order. It never
 * blocks its route: the route reads the state and awaits `changed`. Not fault-tolerant: the first fault ends it.
 */
export class ServerSession {
  readonly id = crypto.randomUUID()
  readonly span: Span
  readonly maxLength: number
  readonly startedAt = performance.now()
  readonly #options: ServerSessionOptions
  readonly #closing = new AbortController()
  #state: SessionState
  #stream: RpcStream<ExpertRequest, ExpertResponse> | undefined
  #stopDeadline = (): void => {}
  #deadlineMs = Infinity
  #change = Promise.withResolvers<void>()
  #hasAnswered = false
  #isGivenUp = false

  constructor(options: ServerSessionOptions) {
    this.#options = options
    this.span = options.span
    this.maxLength = options.maxLength
    this.#state = initialState(options.pushedOpenings ?? 0, this.startedAt)
    this.#armDeadline()
    void this.#run()
  }

  /** Positions that were sent to the server. */
  get sent(): number {
    return this.#state.sent
  }

  /** Positions whose outputs were taken. */
  get taken(): number {
    return takenOf(this.#state)
  }

  /** Positions whose outputs have come, taken or not. */
  get answered(): number {
    const { sent, pending } = this.#state
    return sent - pending.reduce((sum, { tokens }) => sum + tokens, 0)
  }

  /** Steps without an answer. */
  get pending(): number {
    return this.#state.pending.length
  }

  /** Type of the server's outputs and of its arithmetic; undefined until the server has answered. */
  get dtype(): FloatDtype | undefined {
    return this.#state.dtype
  }

  /** Steps can be sent. */
  get isOpen(): boolean {
    return this.#state.phase === 'ready' || this.#state.phase === 'working'
  }

  /** The server ended it because it was idle for too long, which is no fault. */
  get isExpired(): boolean {
    return this.#state.phase === 'expired'
  }

  /** Why it is over; undefined while it is not. */
  get failure(): Error | undefined {
    return this.#state.failure
  }

  /** This client ended it. */
  get isClosed(): boolean {
    return this.#state.phase === 'closed'
  }

  /** It is over because another server was faster. */
  get isGivenUp(): boolean {
    return this.#isGivenUp
  }

  get idleMs(): number {
    return this.pending > 0 ? 0 : performance.now() - this.#state.lastAnswerAt
  }

  /** How much of its deadline the oldest pending step has used, 0 … 1; 0 while no inputs have arrived. */
  get deadlineShare(): number {
    const since = this.#state.pending[0]?.since ?? Infinity
    return since === Infinity ? 0 : Math.max(0, performance.now() - since) / this.#deadlineMs
  }

  get asNextServer(): NextServer {
    const { peer, start, end } = this.span
    return { peer, sessionId: this.id, start, end }
  }

  /** Resolves at the next change of state. */
  get changed(): Promise<void> {
    return this.#change.promise
  }

  /** Sends a step. */
  send(request: StepRequest): void {
    const { nextRequest, sent } = this.#state
    const tokens = request.inputs.shape[1]!
    this.#report({ type: 'stepped', tokens, inputs: request.inputs.data, since: performance.now() })
    const start = request.startFromPosition ?? (nextRequest === 'rewinds' ? sent : undefined)
    const message =
      nextRequest === 'opens'
        ? this.#openingRequest(request.inputs)
        : stepRequest({ ...request, startFromPosition: start })
    this.#stream!.send(message).catch((error: unknown) => this.#break(error))
  }

  /** Sends a step of no tokens, so that the server does not end the session. */
  sendEmpty(): void {
    this.send({ inputs: noInputs(this.#options.hiddenSize) })
  }

  /** Ends it as if its deadline had passed: another server was faster. */
  giveUp(): void {
    const { peer } = this.span
    this.#isGivenUp = true
    const ms = this.deadlineShare * this.#deadlineMs
    this.#break(
      new DeadlineExceededError(`A step on peer ${peer}, which its standby has done,`, ms, { peer }),
    )
  }

  /** The predecessor will push this step: only its answer comes to this client. Its deadline begins with `inputsArrived`. */
  expectPushed(tokens: number): void {
    this.#report({ type: 'stepped', tokens, inputs: undefined, since: Infinity })
  }

  /** The predecessor's answer has come, so the same inputs must have reached this server at about this time. */
  inputsArrived(): void {
    this.#report({ type: 'arrived', at: performance.now() })
  }

  /** Tokens of the oldest outputs that were not taken yet; undefined if there are none. */
  get nextTokens(): number | undefined {
    return this.#state.outputs[0]?.shape[1]
  }

  /** Returns the oldest outputs that were not taken yet. */
  take(): HiddenTensor | undefined {
    const [outputs] = this.#state.outputs
    if (outputs) this.#report({ type: 'taken' })
    return outputs
  }

  /** What follows overwrites the KV cache from `position` on. Only on servers that can rewind, with no step pending. */
  rewind(position: number): void {
    this.#report({ type: 'rewound', position })
  }

  /** Cancels any pending step; the server frees the KV cache at once. */
  close(): void {
    this.#report({ type: 'closed', error: new Error('The session was closed.') })
  }

  async #run(): Promise<void> {
    const { rpc, openTimeoutMs } = this.#options
    try {
      const options = { signal: this.#closing.signal, timeoutMs: openTimeoutMs }
      this.#stream = await rpc.openStream(this.span.peer, inferenceMethod, options)
      if (!isOver(this.#state)) await this.#open(this.#stream)
      while (!isOver(this.#state)) this.#answered(await this.#receive(this.#stream))
    } catch (error) {
      this.#break(error)
    } finally {
      if (this.failure) this.#stream?.abort(this.failure)
    }
  }

  /** Opens by a step of no tokens: the server allocates, and its answer shows in which type it computes. */
  async #open(stream: RpcStream<ExpertRequest, ExpertResponse>): Promise<void> {
    const { withoutEmptySteps = false, hiddenSize, times } = this.#options
    let dtype: FloatDtype = 'float32' // right for every server, as long as its type is unknown
    if (!withoutEmptySteps) {
      await stream.send(this.#openingRequest(noInputs(hiddenSize)))
      const response = await stream.receive({ maxBytes: maxResponseBytes(0, hiddenSize) })
      this.#hasAnswered = true
      dtype = withPeer(this.span.peer, () => readOutputs(response, 0, hiddenSize)).dtype
    }
    times.recordOpening(this.span.peer, performance.now() - this.startedAt)
    this.#report({ type: 'opened', dtype, at: performance.now(), firstStepOpens: withoutEmptySteps })
  }

  #openingRequest(inputs: Tensor): ExpertRequest {
    const { dhtPrefix, span } = this.#options
    return openingRequest({ ...this.#options, uid: rangeUid(dhtPrefix, span), sessionId: this.id, inputs })
  }

  async #receive(stream: RpcStream<ExpertRequest, ExpertResponse>): Promise<ExpertResponse> {
    // How long an honest answer may be is only known when it begins to arrive.
    const maxBytes = (): number =>
      maxResponseBytes(this.#state.pending[0]?.tokens ?? 0, this.#options.hiddenSize)
    return await stream.receive({ maxBytes })
  }

  #answered(response: ExpertResponse): void {
    this.#hasAnswered = true
    const before = this.#state
    if (isOver(before)) return
    const at = performance.now()
    const after = withPeer(this.span.peer, () => {
      const outputs = readOutputs(response, tokensDue(before), this.#options.hiddenSize)
      return transition(before, { type: 'answered', outputs, at })
    })
    const [step] = before.pending
    if (step) this.#record(step, response, at - Math.max(step.since, before.lastAnswerAt))
    this.#enter(after)
  }

  /** @param ms how long the server took; -Infinity if it answered before its inputs were known to have arrived */
  #record(step: PendingStep, response: ExpertResponse, ms: number): void {
    if (step.tokens === 0 || ms === -Infinity) return
    this.#options.times.record(this.span.peer, step.tokens, ms)
    this.#options.onStep?.(costOf(step, response, ms))
  }

  get #asked(): Asked {
    const { phase, pending } = this.#state
    const isOpening = phase === 'joining' || (phase === 'opening' && !this.#options.withoutEmptySteps)
    const tokens = isOpening ? 0 : pending[0]?.tokens
    return { isOpen: this.#hasAnswered, maxLength: this.maxLength, tokens }
  }

  #break(error: unknown): void {
    const cause = error instanceof Error ? error : new Error(String(error))
    this.#report({ type: 'broken', error: checkRefusal(cause, this.#asked) })
  }

  #report(event: SessionEvent): void {
    this.#enter(transition(this.#state, event))
  }

  #enter(state: SessionState): void {
    const before = this.#state
    this.#state = state
    if (awaited(state) !== awaited(before)) this.#armDeadline()
    if (isOver(state) && !isOver(before)) this.#options.onOver?.()
    if (state.failure && !before.failure) {
      this.#closing.abort(state.failure)
      this.#stream?.abort(state.failure)
    }
    this.#change.resolve()
    this.#change = Promise.withResolvers()
  }

  /** One deadline at a time, for what is awaited now. */
  #armDeadline(): void {
    this.#stopDeadline()
    const deadline = deadlineOf(this.#state, this.#options)
    this.#deadlineMs = deadline?.ms ?? Infinity
    if (!deadline) return
    const { peer } = this.span
    const what = `${deadline.what} on peer ${peer}`
    this.#stopDeadline = startTimeout(deadline.ms, () =>
      this.#break(new DeadlineExceededError(what, deadline.ms, { peer })),
    )
  }
}

function costOf({ tokens, inputs }: PendingStep, { tensors }: ExpertResponse, ms: number): StepCost {
  const receivedBytes = tensors.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)
  const compression = tensors[0]?.compression ?? 0
  return { tokens, ms, sentBytes: inputs?.byteLength ?? 0, receivedBytes, compression }
}
