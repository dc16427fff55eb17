/** What sees the events of an iteration. */
export interface Tap<Event> {
  readonly events: AsyncIterable<Event>
  /** Called before each wait for an event. */
  asked?(): void
  see(event: Event): void
  failed?(error: unknown): void
  /** Called once, however the iteration ends. */
  ended?(): void
}

/**
 * Passes events on, each after the tap has seen it. A generator would do the same, but each one between a model and its client
 * takes several turns of the queue of microtasks for each token. `begin` is called when the first event is asked for.
 */
export function tapped<Event>(begin: () => Tap<Event>): AsyncIterableIterator<Event, void, undefined> {
  return new Tapped(begin)
}

class Tapped<Event> implements AsyncIterableIterator<Event, void, undefined> {
  #begin: (() => Tap<Event>) | undefined
  #tap: Tap<Event> | undefined
  #inner: AsyncIterator<Event, unknown, undefined> | undefined

  constructor(begin: () => Tap<Event>) {
    this.#begin = begin
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Event, void>> {
    try {
      if (this.#begin !== undefined) this.#open(this.#begin)
      this.#tap?.asked?.()
    } catch (error) {
      return this.#leave(error)
    }
    return this.#inner?.next().then(this.#onResult, this.#onError) ?? over
  }

  async return(): Promise<IteratorResult<Event, void>> {
    this.#begin = undefined
    const inner = this.#inner
    this.#inner = undefined
    try {
      await inner?.return?.()
    } finally {
      this.#end()
    }
    return over
  }

  #open(begin: () => Tap<Event>): void {
    this.#begin = undefined
    this.#tap = begin()
    this.#inner = this.#tap.events[Symbol.asyncIterator]()
  }

  readonly #onResult = (
    result: IteratorResult<Event, unknown>,
  ): IteratorResult<Event, void> | Promise<never> => {
    if (result.done) {
      this.#inner = undefined
      this.#end()
      return { done: true, value: undefined }
    }
    try {
      this.#tap?.see(result.value)
    } catch (error) {
      return this.#leave(error)
    }
    return result
  }

  /** Ends what is tapped, which has not failed itself. */
  async #leave(error: unknown): Promise<never> {
    const inner = this.#inner
    this.#inner = undefined
    try {
      await inner?.return?.()
    } catch {
      // The error of the tap counts, not what it leads to.
    }
    return this.#onError(error)
  }

  readonly #onError = (error: unknown): Promise<never> => {
    this.#inner = undefined
    try {
      this.#tap?.failed?.(error)
    } finally {
      this.#end()
    }
    return Promise.reject(error as Error)
  }

  #end(): void {
    const tap = this.#tap
    this.#tap = undefined
    tap?.ended?.()
  }
}

const over: Promise<IteratorReturnResult<void>> = Promise.resolve({ done: true, value: undefined })
