import type { AbortOptions } from '@petals-chat/engine'
import type { ModelWorker } from '../worker/model-worker.ts'

export interface SlotOptions {
  readonly worker: ModelWorker
  /** The number of the sequence in the model's context. */
  readonly id: number
  /** Returns a sequence of the new process after the old one died. @throws CapacityError */
  readonly reclaim: () => number
}

/** The sequence of a model's context that one session uses. Its KV cache is lost when the model's process dies. */
export class Slot {
  readonly #options: SlotOptions
  #id: number
  /** The process that holds the KV cache. */
  #generation: number
  #stopped: Promise<unknown> = Promise.resolve()

  constructor(options: SlotOptions) {
    this.#options = options
    this.#id = options.id
    this.#generation = options.worker.generation
  }

  get id(): number {
    return this.#id
  }

  /** True if the process that held the KV cache has died. */
  get isLost(): boolean {
    return this.#generation !== this.#options.worker.generation
  }

  /** Moves to the process that replaced the dead one; its sequence is empty. @throws ModelUnavailableError, CapacityError */
  async revive(options: AbortOptions): Promise<void> {
    const { worker, reclaim } = this.#options
    await worker.ready(options)
    this.#id = reclaim()
    this.#generation = worker.generation
  }

  /**
   * Makes the process stop within one step and cut the sequence down to `keep` tokens, since it may be ahead of its
   * reader. `onFailure` is called if that fails.
   */
  stop(keep: number, onFailure: (error: unknown) => void): void {
    const slot = this.#id
    this.#stopped = this.#options.worker
      .call((request) => ({ type: 'stop', request, slot, keep }))
      .catch(onFailure)
  }

  /** Resolves when the last `stop` is done. */
  async settled(): Promise<void> {
    await this.#stopped
  }

  /** Drops everything after the first `length` tokens. @throws RequestFailed, GenerationFailedError */
  async truncate(length: number): Promise<void> {
    const slot = this.#id
    await this.#options.worker.call((request) => ({ type: 'truncate', request, slot, length }))
  }

  /** Stops and drops everything. */
  async clear(): Promise<void> {
    const slot = this.#id
    if (this.isLost) return
    await this.#options.worker.call((request) => ({ type: 'clear', request, slot })).catch(() => {}) // the process has died: its cache is gone
  }
}
