import { setTimeout as delay } from 'node:timers/promises'
import type { HonestSession } from './honest-session.ts'

/** Runs an honest session until it is told to end. */
export class Stepping {
  readonly #over = new AbortController()
  readonly #run: Promise<void>

  constructor(session: HonestSession) {
    this.#run = this.#step(session)
    this.#run.catch(() => {}) // thrown by `end`
  }

  /** @throws what a step has thrown */
  async end(): Promise<void> {
    this.#over.abort()
    await this.#run
  }

  async #step(session: HonestSession): Promise<void> {
    while (!this.#over.signal.aborted) {
      await session.step()
      await delay(10)
    }
  }
}
