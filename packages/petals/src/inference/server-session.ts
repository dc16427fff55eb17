import { rangeUid } from '../blocks/block-uid.ts'
import type { Span } from '../blocks/spans.ts'
import { ConnectionLostError, DeadlineExceededError, ProtocolError } from '../errors.ts'
import type { RpcClient, RpcStream } from '../rpc/rpc-client.ts'
import { withPeer } from '../rpc/with-peer.ts'
import type { FloatDtype } from '../tensor/dtype.ts'
import type { ExpertRequest, ExpertResponse } from '../wire/runtime.ts'
import {
  inferenceMethod,
  noInputs,
  openingRequest,
  stepRequest,
  type NextServer,
  type StepRequest,
} from './inference-methods.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { maxResponseBytes, readOutputs, type HiddenTensor } from './step-outputs.ts'
import type { StepTimes } from './step-times.ts'

export interface ServerSessionOptions {
  readonly rpc: RpcClient
  readonly times: StepTimes
  readonly dhtPrefix: string
  readonly span: Span
  readonly hiddenSize: number
  /** Tokens that the server's KV cache is to hold. */
  readonly maxLength: number
  readonly adapter?: string | undefined
  /** For the session's opening: connecting, allocating the KV cache, the first answer. */
  readonly openTimeoutMs: number
  /** Multiplies the deadlines of steps. */
  readonly deadlineScale: number
  /** Where the server is to hand every output on to (2.2.0.post1). */
  readonly nextServers?: readonly NextServer[] | undefined
  /** Empty steps that will be pushed to this session while its predecessors open: one for each of them. */
  readonly pushedOpenings?: number | undefined
  /** The session is opened by its first step instead of an empty one, which this server can't answer. */
  readonly withoutEmptySteps?: boolean | undefined
  /** How long the server may wait for room in its KV cache. */
  readonly allocTimeoutSeconds?: number | undefined
  /** Called with what each step took. */
  readonly onStep?: ((step: StepCost) => void) | undefined
  /** Called after every change: opened, an answer came, failed. */
  readonly onChange: () => void
}

export interface StepCost {
  readonly tokens: number
  readonly ms: number
  /** Bytes of hidden states on the wire; none are sent where another server hands them on. */
  readonly sentBytes: number
  readonly receivedBytes: number
}

/** A step whose answer has not come. */
interface Outstanding {
  readonly tokens: number
  readonly inputs: Uint8Array | undefined
  /** `performance.now()`; when the server could begin, at the earliest. */
  readonly since: number
}

interface Answered {
  readonly inputs: Uint8Array | undefined
  readonly outputs: Uint8Array
}

/**
 * One span on one server: a stream, and a KV cache over there that holds `sent` positions. Steps are answered in order.
 * Never waits by itself: it says what changed, and holds what came. Not fault-tolerant: one fault ends it.
 */
export class ServerSession {
  readonly id = crypto.randomUUID()
  readonly span: Span
  readonly maxLength: number
  readonly startedAt = performance.now()
  /** Positions that the server was sent, and those whose outputs were taken. */
  sent = 0
  taken = 0
  readonly #options: ServerSessionOptions
  readonly #closing = new AbortController()
  readonly #outstanding: Outstanding[] = []
  readonly #responses: HiddenTensor[] = []
  #stream: RpcStream<ExpertRequest, ExpertResponse> | undefined
  #dtype: FloatDtype | undefined
  #failure: Error | undefined
  #failedIdle = false
  #timer: NodeJS.Timeout | undefined
  #lastActivity = performance.now()
  #lastStep: Answered | undefined
  #rewound = false
  /** The next step carries what opens the session. */
  #mustOpen = false
  #pushedOpenings: number

  constructor(options: ServerSessionOptions) {
    this.#options = options
    this.span = options.span
    this.maxLength = options.maxLength
    this.#pushedOpenings = options.pushedOpenings ?? 0
    void this.#run()
  }

  /** Type of the server's outputs, and of its arithmetic; known once it is open. */
  get dtype(): FloatDtype | undefined {
    return this.#dtype
  }

  get isOpen(): boolean {
    return this.#dtype !== undefined && this.#pushedOpenings === 0 && !this.#failure
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  /** The stream ended in order while nothing was asked: the server's limit on idle time, not a fault. */
  get expired(): boolean {
    return this.#failedIdle
  }

  /** Steps without an answer. */
  get pending(): number {
    return this.#outstanding.length
  }

  get idleMs(): number {
    return this.pending > 0 ? 0 : performance.now() - this.#lastActivity
  }

  get asNextServer(): NextServer {
    const { peer, start, end } = this.span
    return { peer, sessionId: this.id, start, end }
  }

  /** Sends a step. Its answer, or the session's failure, will be announced by `onChange`. */
  send(request: StepRequest): void {
    const tokens = request.inputs.shape[1]!
    const startFromPosition = request.startFromPosition ?? (this.#rewound ? this.sent : undefined)
    this.#rewound = false
    this.#expect(tokens, request.inputs.data, performance.now())
    const message = this.#mustOpen
      ? this.#openingRequest(request.inputs)
      : stepRequest({ ...request, startFromPosition })
    this.#mustOpen = false
    this.#stream!.send(message).catch((error: unknown) => this.#fail(error))
  }

  /** The predecessor will hand this step on: only its answer comes by here. Its deadline runs from `inputsArrived` on. */
  expectPushed(tokens: number): void {
    this.#rewound = false // the step that is handed on says where it starts
    this.#expect(tokens, undefined, Infinity)
  }

  /** The predecessor's answer has come, so the same inputs must have reached this server about now. */
  inputsArrived(): void {
    const head = this.#outstanding[0]
    if (!head || head.since !== Infinity) return
    this.#outstanding[0] = { ...head, since: performance.now() }
    this.#armDeadline()
  }

  /** The outputs of the oldest step that were not taken yet. */
  take(): HiddenTensor | undefined {
    const outputs = this.#responses.shift()
    if (outputs) this.taken += outputs.shape[1]!
    return outputs
  }

  /** Goes back: what follows overwrites the KV cache from `position` on. Only on servers that can, with nothing pending. */
  rewind(position: number): void {
    this.sent = position
    this.taken = position
    this.#responses.length = 0
    this.#lastStep = undefined
    this.#rewound = true
  }

  /** Cancels whatever runs; the server frees the KV cache at once. */
  close(): void {
    this.#fail(new Error('The session was closed.'))
  }

  async #run(): Promise<void> {
    const { rpc, times, span, openTimeoutMs, deadlineScale } = this.#options
    try {
      this.#armOpening(times.openingDeadlineMs(span.peer, openTimeoutMs, deadlineScale))
      const options = { signal: this.#closing.signal, timeoutMs: openTimeoutMs }
      this.#stream = await rpc.openStream(span.peer, inferenceMethod, options)
      if (this.#failure) return
      await this.#open(this.#stream)
      times.recordOpening(span.peer, performance.now() - this.startedAt)
      if (this.#pushedOpenings > 0) this.#armOpening(openTimeoutMs * this.#pushedOpenings)
      else clearTimeout(this.#timer)
      this.#options.onChange()
      while (!this.#failure) this.#answered(await this.#receive(this.#stream))
    } catch (error) {
      this.#fail(error)
    } finally {
      if (this.#failure) this.#stream?.abort(this.#failure)
    }
  }

  #armOpening(timeoutMs: number): void {
    const { peer } = this.span
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#fail(new DeadlineExceededError(`Opening a session on peer ${peer}`, timeoutMs, { peer }))
    }, timeoutMs)
  }

  /** By a step of no tokens: it allocates, and its answer says what type the server computes in. */
  async #open(stream: RpcStream<ExpertRequest, ExpertResponse>): Promise<void> {
    const { withoutEmptySteps, hiddenSize } = this.#options
    if (withoutEmptySteps) {
      this.#mustOpen = true
      this.#dtype = 'float32' // not known yet; this is right for all
      return
    }
    await stream.send(this.#openingRequest(noInputs(hiddenSize)))
    const response = await stream.receive({ maxBytes: maxResponseBytes(0, hiddenSize) })
    this.#dtype = withPeer(this.span.peer, () => readOutputs(response, 0, hiddenSize)).dtype
    this.#lastActivity = performance.now()
  }

  #openingRequest(inputs: Tensor): ExpertRequest {
    const { dhtPrefix, span } = this.#options
    return openingRequest({ ...this.#options, uid: rangeUid(dhtPrefix, span), sessionId: this.id, inputs })
  }

  async #receive(stream: RpcStream<ExpertRequest, ExpertResponse>): Promise<ExpertResponse> {
    // How long an honest answer may be is only known when it begins to come.
    const maxBytes = (): number =>
      maxResponseBytes(this.#outstanding[0]?.tokens ?? 0, this.#options.hiddenSize)
    return await stream.receive({ maxBytes })
  }

  #answered(response: ExpertResponse): void {
    const { hiddenSize, times, span } = this.#options
    const step = this.#pushedOpenings > 0 ? undefined : this.#outstanding.shift()
    const outputs = withPeer(span.peer, () => {
      if (!step && this.#pushedOpenings === 0)
        throw new ProtocolError('An answer came to a question that was not asked.')
      return readOutputs(response, step?.tokens ?? 0, hiddenSize)
    })
    const now = performance.now()
    if (step) {
      this.#checkFresh(step, outputs.data)
      const began = Math.max(step.since, this.#lastActivity)
      if (step.tokens > 0 && began !== Infinity) {
        times.record(span.peer, step.tokens, now - began)
        this.#options.onStep?.(costOf(step, response, now - began))
      }
      this.#responses.push(outputs)
    } else this.#pushedOpenings--
    this.#lastActivity = now
    if (this.#pushedOpenings === 0) this.#armDeadline()
    this.#options.onChange()
  }

  /** Answers carry no number: one that repeats the last, bit by bit, though the question was another, is a stale one. */
  #checkFresh({ inputs }: Outstanding, outputs: Uint8Array): void {
    const last = this.#lastStep
    this.#lastStep = { inputs, outputs }
    if (!last || outputs.byteLength === 0 || Buffer.compare(last.outputs, outputs) !== 0) return
    if (inputs && last.inputs && Buffer.compare(last.inputs, inputs) === 0) return
    throw new ProtocolError(`Peer ${this.span.peer} sent the answer to an earlier step again.`, {
      peer: this.span.peer,
    })
  }

  #expect(tokens: number, inputs: Uint8Array | undefined, since: number): void {
    this.#outstanding.push({ tokens, inputs, since })
    this.sent += tokens
    if (this.#outstanding.length === 1) this.#armDeadline()
  }

  /** One deadline at a time, for the oldest step: a server works on them one after the other. */
  #armDeadline(): void {
    clearTimeout(this.#timer)
    const head = this.#outstanding[0]
    if (!head || head.since === Infinity || this.#failure) return
    const { times, deadlineScale: scale, span } = this.#options
    const claimedMs = claimedStepMs(span, head.tokens)
    const deadlineMs = times.deadlineMs(span.peer, head.tokens, { claimedMs, scale })
    this.#timer = setTimeout(() => {
      const what = `A step of ${head.tokens} tokens on peer ${span.peer}`
      this.#fail(new DeadlineExceededError(what, deadlineMs, { peer: span.peer }))
    }, deadlineMs)
  }

  #fail(error: unknown): void {
    if (this.#failure) return
    clearTimeout(this.#timer)
    this.#failedIdle =
      this.#dtype !== undefined && this.pending === 0 && error instanceof ConnectionLostError && error.clean
    this.#failure = error instanceof Error ? error : new Error(String(error))
    this.#closing.abort(this.#failure)
    this.#stream?.abort(this.#failure)
    this.#options.onChange()
  }
}

function costOf({ tokens, inputs }: Outstanding, { tensors }: ExpertResponse, ms: number): StepCost {
  const receivedBytes = tensors.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)
  return { tokens, ms, sentBytes: inputs?.byteLength ?? 0, receivedBytes }
}

/** What a step should take by the speed that the server announces; undefined if it does not. */
function claimedStepMs({ start, end, server }: Span, tokens: number): number | undefined {
  const rps = tokens === 1 ? server.inferenceRps : server.forwardRps
  return rps && (tokens * (end - start) * 1000) / rps
}
