import { ToolFailure } from '../tool-server.ts'

/** Lets a number of calls run; further ones wait in the order of their arrival. */
export class CallSlots {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(slots: number) {
    this.#free = slots
  }

  /** Runs `call` when it is its turn. @throws the signal's reason; ToolFailure if it has to wait longer than `maxWaitMs` */
  async run<Result>(
    call: () => Promise<Result>,
    { signal, maxWaitMs, busy }: { signal: AbortSignal | undefined; maxWaitMs: number; busy: string },
  ): Promise<Result> {
    signal?.throwIfAborted()
    if (this.#free > 0) this.#free--
    else await this.#turn(signal, maxWaitMs, busy)
    try {
      return await call()
    } finally {
      this.#giveBack()
    }
  }

  async #turn(signal: AbortSignal | undefined, maxWaitMs: number, busy: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = () => reject(signal?.reason as Error)
    const timer = setTimeout(() => reject(new ToolFailure(busy)), maxWaitMs)
    this.#waiting.add(resolve)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      this.#waiting.delete(resolve)
    }
  }

  #giveBack(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#free++
    else {
      this.#waiting.delete(next)
      next()
    }
  }
}
