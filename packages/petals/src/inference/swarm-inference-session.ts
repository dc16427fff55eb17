import { ContextLengthError } from '@petals-chat/engine'
import type { Span } from '../blocks/spans.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import type { SessionFailover } from './failover-log.ts'
import type { InferenceContext } from './inference-context.ts'
import { inferenceMetrics, phaseOf, type InferenceMetrics } from './inference-metrics.ts'
import type { InferenceSession, OpenOptions, StepOptions } from './inference-session.ts'
import { compactTensor, copyValues } from './input-history.ts'
import { RouteKeeper } from './route-keeper.ts'
import type { HiddenTensor } from './step-outputs.ts'

/** How often an idle session is looked after. */
const maintenanceMs = 15_000

export interface SwarmInferenceSessionOptions {
  /** Tokens that the session may ever hold. */
  readonly maxLength: number
  /** Called when the session is disposed. */
  readonly onClose?: (() => void) | undefined
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
  readonly #onClose: (() => void) | undefined
  readonly #metrics: InferenceMetrics
  readonly #keeper: RouteKeeper
  readonly #maintenance: NodeJS.Timeout
  #position = 0
  #busy = false
  #closed = false
  #lastUse = performance.now()

  constructor(context: InferenceContext, { maxLength, onClose }: SwarmInferenceSessionOptions) {
    this.#context = context
    this.#maxLength = maxLength
    this.#onClose = onClose
    this.#metrics = inferenceMetrics(context.metrics)
    this.#keeper = new RouteKeeper(context, this.#metrics, maxLength)
    const { keepAliveMs, aheadTimeoutMs } = context.config
    const intervalMs = Math.min(maintenanceMs, keepAliveMs / 2, aheadTimeoutMs / 2)
    this.#maintenance = setInterval(() => this.#maintain(), intervalMs)
    this.#maintenance.unref()
  }

  get position(): number {
    return this.#position
  }

  get route(): readonly Span[] {
    return this.#keeper.route
  }

  get failovers(): readonly SessionFailover[] {
    return this.#keeper.failovers.list()
  }

  get pushed(): boolean {
    return this.#keeper.chain.push !== undefined
  }

  async open({ signal, length = this.#position + 1 }: OpenOptions = {}): Promise<void> {
    await this.#exclusively(signal, async () => {
      // What is only done ahead is not worth waiting for.
      const needed = Math.min(length, this.#maxLength)
      await this.#keeper.prepare(this.#position, needed, { waitTimeoutMs: 0 }, signal)
      await this.#keeper.untilDone(signal, () => this.#keeper.chain.ready(signal))
    })
  }

  async step(inputs: HiddenStates, { onWait, signal }: StepOptions = {}): Promise<HiddenStates> {
    const { waitTimeoutMs } = this.#context.config
    return await this.#exclusively(signal, async () => {
      const [tokens, hiddenSize] = inputs.shape
      const goal = this.#checked(inputs)
      const startedAt = performance.now()
      await this.#keeper.prepare(this.#position, goal, { waitTimeoutMs, onWait }, signal)
      const { chain } = this.#keeper
      chain.begin(this.#position, compactTensor(inputs.data, [1, tokens, hiddenSize]))
      const outputs = await this.#keeper.untilDone(signal, () => chain.run(goal, signal))
      this.#position = goal
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
    this.#onClose?.()
    clearInterval(this.#maintenance)
    this.#keeper.close()
  }

  /** After an error or an abort everything is as it was; what servers may have half done is thrown away. */
  async #exclusively<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new Error('A step of this session is under way.')
    if (this.#closed) throw new Error('This session was closed.')
    signal?.throwIfAborted()
    this.#busy = true
    try {
      return await work()
    } catch (error) {
      this.#keeper.chain.truncate(this.#position, () => false)
      throw error
    } finally {
      this.#busy = false
      this.#lastUse = performance.now()
      if (this.#closed) this.#keeper.close()
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

  /** Keeps sessions from being taken for forgotten; gives them up when they are. */
  #maintain(): void {
    if (this.#busy || this.#closed) return
    const { chain } = this.#keeper
    const { idleTimeoutMs, aheadTimeoutMs, keepAliveMs } = this.#context.config
    const isUnused = chain.links.every(({ session }) => !session?.sent)
    if (performance.now() - this.#lastUse > (isUnused ? aheadTimeoutMs : idleTimeoutMs)) chain.closeSessions()
    else if (chain.links.some(({ session }) => (session?.idleMs ?? 0) > keepAliveMs)) chain.keepAlive()
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
