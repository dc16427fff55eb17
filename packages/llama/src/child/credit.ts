/** How many more tokens the reader takes. A writer without credit waits: nothing piles up between them. */
export class Credit {
  #left: number
  #isPaused = false
  #wake: (() => void) | undefined

  constructor(count: number) {
    this.#left = count
  }

  add(count: number): void {
    this.#left += count
    this.#isPaused = false
    this.#wake?.()
  }

  /** No more until `add` is called, whatever is left. */
  pause(): void {
    this.#isPaused = true
  }

  /** Takes one, as soon as there is one. Rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<void> {
    const wake = () => this.#wake?.()
    signal.addEventListener('abort', wake)
    try {
      while (this.#left === 0 || this.#isPaused) {
        signal.throwIfAborted()
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
      signal.throwIfAborted()
      this.#left--
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }
}
