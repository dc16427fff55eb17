import { ContextLengthError, ModelUnavailableError, SessionGuard } from '@petals-chat/engine'
import type { Span } from '../blocks/spans.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import type { SessionFailover } from './failover-log.ts'
import type { InferenceContext } from './inference-context.ts'
import { inferenceMetrics, phaseOf, type InferenceMetrics } from './inference-metrics.ts'
import type { InferenceSession, OpenOptions, StepOptions } from './inference-session.ts'
import { compactTensor, copyValues } from './input-history.ts'
import type { OpenRoute } from './open-route.ts'
import { RouteKeeper } from './route-keeper.ts'
import type { StandbyState } from './standby/standby.ts'
import type { HiddenTensor } from './step-outputs.ts'

/** How often an idle session is looked after, milliseconds. */
const maintenanceMs = 15_000

export interface SwarmInferenceSessionOptions {
  /** The most tokens that the session will ever hold. */
  readonly maxLength: number
  /** Closes other sessions of this client, if a step finds no room for this one: `SessionOptions.makeRoom` of the engine. */
  readonly makeRoom?: (() => Promise<boolean>) | undefined
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
  readonly #makeRoom: (() => Promise<boolean>) | undefined
  readonly #onClose: (() => void) | undefined
  readonly #metrics: InferenceMetrics
  readonly #keeper: RouteKeeper
  readonly #route: OpenRoute
  readonly #guard = new SessionGuard()
  /** Ends the running call when the session is disposed. */
  readonly #closing = new AbortController()
  readonly #maintenance: NodeJS.Timeout
  #lastUse = performance.now()

  constructor(context: InferenceContext, { maxLength, makeRoom, onClose }: SwarmInferenceSessionOptions) {
    this.#context = context
    this.#maxLength = maxLength
    this.#makeRoom = makeRoom
    this.#onClose = onClose
    this.#metrics = inferenceMetrics(context.metrics)
    this.#keeper = new RouteKeeper(context, this.#metrics, maxLength)
    this.#route = this.#keeper.route
    const { keepAliveMs, aheadTimeoutMs } = context.config
    const intervalMs = Math.min(maintenanceMs, keepAliveMs / 2, aheadTimeoutMs / 2)
    this.#maintenance = setInterval(() => this.#maintain(), intervalMs)
    this.#maintenance.unref()
  }

  get position(): number {
    return this.#route.position
  }

  get route(): readonly Span[] {
    return this.#route.spans
  }

  get historyBytes(): number {
    return this.#route.historyBytes
  }

  get failovers(): readonly SessionFailover[] {
    return this.#keeper.failovers.list()
  }

  get standbys(): readonly (StandbyState | undefined)[] {
    return this.#keeper.standby.states
  }

  get pushed(): boolean {
    return this.#route.forwarding.isPushed
  }

  async open({ signal, length = this.position + 1 }: OpenOptions = {}): Promise<void> {
    await this.#exclusively(signal, async (stop) => {
      const needed = Math.min(length, this.#maxLength)
      await this.#keeper.prepare(needed, { waitTimeoutMs: 0 }, stop)
      await this.#keeper.untilDone(stop, () => this.#route.ready(stop))
    })
  }

  async step(
    inputs: HiddenStates,
    { onWait, signal, isAnswer = false }: StepOptions = {},
  ): Promise<HiddenStates> {
    const { waitTimeoutMs } = this.#context.config
    return await this.#exclusively(signal, async (stop) => {
      const [tokens, hiddenSize] = inputs.shape
      const goal = this.#checked(inputs)
      const startedAt = performance.now()
      await this.#keeper.prepare(goal, { waitTimeoutMs, onWait, makeRoom: this.#makeRoom }, stop)
      this.#keeper.answers(isAnswer ? tokens : 1)
      this.#route.begin(compactTensor(inputs.data, [1, tokens, hiddenSize]))
      const outputs = await this.#keeper.untilDone(stop, () => this.#route.run(stop))
      const labels = { model: this.#context.dhtPrefix, phase: phaseOf(tokens, isAnswer) }
      this.#metrics.stepSeconds.observe((performance.now() - startedAt) / 1000, labels)
      this.#context.observer?.stepped(this.#route, tokens)
      return { shape: inputs.shape, data: joinValues(outputs, tokens * hiddenSize) }
    })
  }

  rewind(position: number): void {
    using _call = this.#guard.enter()
    this.#route.rewind(position)
  }

  rewindableTokens(): number {
    return this.#guard.closed ? 0 : this.#keeper.rewindableTokens()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#guard.close()) return
    this.#onClose?.()
    clearInterval(this.#maintenance)
    this.#closing.abort(new ModelUnavailableError('The session was closed.'))
    this.#closeSessions()
  }

  /**
   * After an error or an abort the session is as before: server sessions that were sent tokens behind its position are
   * closed, which frees their KV caches.
   */
  async #exclusively<T>(
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    using _call = this.#guard.enter()
    const closing = this.#closing.signal
    const stop = signal ? AbortSignal.any([signal, closing]) : closing
    stop.throwIfAborted()
    try {
      return await work(stop)
    } catch (error) {
      this.#route.truncate(() => false)
      throw error
    } finally {
      this.#lastUse = performance.now()
      this.#keeper.standby.stepEnds()
      if (this.#guard.closed) this.#closeSessions()
    }
  }

  #closeSessions(): void {
    this.#route.closeSessions()
    this.#keeper.standby.stop()
  }

  /** Returns the position after these inputs. @throws TypeError, ContextLengthError */
  #checked({ shape: [tokens, hiddenSize], data }: HiddenStates): number {
    if (hiddenSize !== this.#context.hiddenSize || tokens < 1 || data.length !== tokens * hiddenSize) {
      throw new TypeError(
        `Inputs of shape [${tokens}, ${hiddenSize}] with ${data.length} values can't be run: this model needs ` +
          `[tokens, ${this.#context.hiddenSize}], with at least one token.`,
      )
    }
    const goal = this.position + tokens
    if (goal > this.#maxLength) throw new ContextLengthError(goal, this.#maxLength)
    return goal
  }

  /** Keeps idle server sessions alive, and closes them when the session has not been used for too long. */
  #maintain(): void {
    if (this.#guard.busy || this.#guard.closed) return
    this.#keeper.standby.giveWay()
    const { idleTimeoutMs, aheadTimeoutMs, keepAliveMs } = this.#context.config
    const { hops } = this.#route
    const isUnused = hops.every(({ session }) => !session?.sent)
    const isForgotten = performance.now() - this.#lastUse > (isUnused ? aheadTimeoutMs : idleTimeoutMs)
    if (isForgotten) this.#closeSessions()
    else if (hops.some(({ session, spare }) => ((session ?? spare)?.idleMs ?? 0) > keepAliveMs))
      this.#route.keepAlive()
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
