import { abortable } from './abort.ts'

interface Line {
  running: number
  readonly waiting: (() => void)[]
}

/** Places for calls that run at the same time, so many for each key. Who waits first gets the next one. */
export class CallSlots {
  readonly max: number
  readonly #lines = new Map<string, Line>()

  constructor(max: number) {
    this.max = max
  }

  /** A place, which disposing gives back; undefined if all of the key are taken. */
  tryEnter(key: string): Disposable | undefined {
    const line = this.#lines.get(key) ?? { running: 0, waiting: [] }
    if (line.running >= this.max) return undefined
    line.running += 1
    this.#lines.set(key, line)
    return { [Symbol.dispose]: () => this.#leave(key, line) }
  }

  /** Waits for a place. @throws the signal's reason */
  async enter(key: string, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    const place = this.tryEnter(key)
    if (place !== undefined) return place
    const line = this.#lines.get(key)!
    const { promise, resolve } = Promise.withResolvers<void>()
    line.waiting.push(resolve)
    try {
      await abortable(promise, signal)
    } catch (error) {
      const index = line.waiting.indexOf(resolve)
      // Its turn may have come in the same moment.
      if (index === -1) this.#leave(key, line)
      else line.waiting.splice(index, 1)
      throw error
    }
    return { [Symbol.dispose]: () => this.#leave(key, line) }
  }

  #leave(key: string, line: Line): void {
    const next = line.waiting.shift()
    if (next !== undefined) return next()
    line.running -= 1
    if (line.running === 0) this.#lines.delete(key)
  }
}
