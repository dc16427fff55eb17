import type { RemoteEvent, RemoteModel } from '@petals-chat/engine'
import type { SessionPoolConfig } from '../config.ts'
import type { Claim, RemoteTurn, RemoteTurnRequest } from '../context.ts'
import { AdmissionQueue } from './admission-queue.ts'
import { tapped } from '../tapped.ts'
import type { CountedTokens, GenerationMetrics } from './generation-metrics.ts'
import { UnreadLeases } from './unread-leases.ts'

export interface RemoteTurnsOptions {
  readonly config: SessionPoolConfig
  readonly generationMetrics: GenerationMetrics
  /** Called whenever a number below has changed. */
  readonly onChange: () => void
}

/** The turns of answers that other servers write for one model: shared fairly, as sessions are. */
export class RemoteTurns {
  readonly #options: RemoteTurnsOptions
  readonly #queue: AdmissionQueue
  readonly #unread: UnreadLeases
  /** No server keeps a session for this one. */
  readonly idle = 0

  constructor({ maxAnswers = Infinity }: RemoteModel, options: RemoteTurnsOptions) {
    const { config } = options
    this.#options = options
    this.#queue = new AdmissionQueue({ ...config, maxPermits: Math.min(maxAnswers, config.maxPerModel) })
    this.#unread = new UnreadLeases({ graceMs: config.unreadGraceMs, waiting: () => this.waiting })
  }

  get leased(): number {
    return this.#queue.active
  }

  get waiting(): number {
    return this.#queue.waiting
  }

  get isEmpty(): boolean {
    return this.leased + this.waiting === 0
  }

  /** @throws CapacityError if the claim would be refused at once. */
  assertRoom(claim: Claim): void {
    this.#queue.assertRoom(claim)
  }

  /** Waits for a turn. @throws CapacityError; the signal's reason */
  async enter(request: RemoteTurnRequest): Promise<RemoteTurn> {
    const askedAt = performance.now()
    try {
      const admission = this.#queue.enter(request)
      this.#options.onChange()
      this.#unread.makeWay()
      await admission
    } finally {
      this.#options.onChange()
    }
    const begunAt = performance.now()
    const unread = request.reader && this.#unread.add(request.reader)
    return {
      queuedMs: begunAt - askedAt,
      watched: (events) => this.#measured(events, request),
      [Symbol.asyncDispose]: async () => {
        unread?.[Symbol.dispose]()
        this.#queue.leave(performance.now() - begunAt, request)
        this.#options.onChange()
      },
    }
  }

  #measured(
    events: AsyncIterable<RemoteEvent>,
    { promptTokens }: RemoteTurnRequest,
  ): AsyncIterable<RemoteEvent> {
    return tapped(() => {
      const measurement = this.#options.generationMetrics.start(promptTokens, 0)
      let usage: CountedTokens | undefined
      return {
        events,
        see(event) {
          if (event.type === 'parts') measurement.onToken()
          else ({ usage } = event)
        },
        ended: () => measurement.end(usage),
      }
    })
  }
}
