import type { ReadyMessage } from '../protocol.ts'

/** Whether a model can be used, as a state and as a promise that callers wait for. */
export class Readiness {
  #state: 'starting' | 'ready' | 'restarting' | 'failed' = 'starting'
  #ready = pending<ReadyMessage>()
  #failure: string | undefined

  /** `failed` after a first load that failed, or when the process died too often. */
  get state(): 'starting' | 'ready' | 'restarting' | 'failed' {
    return this.#state
  }

  /** Why the state is `failed`. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Resolves when the model can be used. Rejects with the error of `fail` or `close`. */
  get promise(): Promise<ReadyMessage> {
    return this.#ready.promise
  }

  becomeReady(message: ReadyMessage): void {
    this.#state = 'ready'
    this.#ready.resolve(message)
  }

  /** Callers wait for the next process from now on. */
  becomeRestarting(): void {
    if (this.#state === 'restarting') return
    this.#state = 'restarting'
    this.#ready = pending()
  }

  /** Rejects for callers that wait now and for those that come later. */
  fail(error: Error): void {
    if (this.#state === 'ready') this.#ready = pending()
    this.#state = 'failed'
    this.#failure = error.message
    this.#ready.reject(error)
  }

  close(error: Error): void {
    this.#ready.reject(error)
  }
}

/** A promise that may be rejected while no caller waits for it. */
function pending<T>(): PromiseWithResolvers<T> {
  const resolvers = Promise.withResolvers<T>()
  resolvers.promise.catch(() => {})
  return resolvers
}
