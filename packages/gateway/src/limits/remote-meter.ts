import type { RemoteEvent } from '@petals-chat/engine'
import { tapped } from '../tapped.ts'
import type { BegunWork, WorkCost } from './allowance.ts'

/** Measures an answer that another server writes: by that server's count, or, if it ended early, by what has arrived. */
export class RemoteMeter {
  readonly #work: BegunWork
  readonly #promptTokens: number
  #arrived = 0
  #counted: Omit<WorkCost, 'swarmMs'> | undefined
  #error: unknown
  #ended: Promise<void> | undefined

  /** `promptTokens`: an estimate. */
  constructor(work: BegunWork, promptTokens: number) {
    this.#work = work
    this.#promptTokens = promptTokens
  }

  measured(events: AsyncIterable<RemoteEvent>): AsyncIterable<RemoteEvent> {
    return tapped(() => ({
      events,
      see: (event) => this.#see(event),
      failed: (error) => this.failed(error),
    }))
  }

  #see(event: RemoteEvent): void {
    if (event.type === 'end') return this.counted(event.usage)
    if (this.#arrived === 0) this.#work.trace?.firstToken()
    this.#arrived += 1
  }

  /** Notes what the server has counted. */
  counted({ promptTokens, cachedTokens, completionTokens }: Omit<WorkCost, 'swarmMs'>): void {
    this.#counted = { promptTokens, cachedTokens, completionTokens }
  }

  /** Remembers why the work failed. */
  failed(error: unknown): void {
    this.#error = error
  }

  end(): Promise<void> {
    return (this.#ended ??= this.#work.end(this.#cost, this.#error))
  }

  get #cost(): WorkCost {
    const { promptTokens, cachedTokens, completionTokens } = this.#counted ?? {
      promptTokens: this.#arrived === 0 ? 0 : this.#promptTokens,
      cachedTokens: 0,
      completionTokens: this.#arrived,
    }
    return { promptTokens, cachedTokens, completionTokens, swarmMs: 0 }
  }
}
