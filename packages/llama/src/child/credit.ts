/** How many more tokens the reader accepts. A writer without credit waits, so that no tokens queue up between them. */
export class Credit {
  #left: number
  #isPaused = false
  #wake: (() => void) | undefined

  constructor(count: number) {
    this.#left = count
  }

  /** Tokens that may be sent at once. */
  get left(): number {
    return this.#left
  }

  add(count: number): void {
    this.#left += count
    this.#isPaused = false
    this.#wake?.()
  }

  /** Blocks `take` until `add` is called, even if credit is left. */
  pause(): void {
    this.#isPaused = true
  }

  /** Takes the credit of tokens, which must be left. */
  spend(count: number): void {
    this.#left -= count
  }

  /** Takes one token's credit as soon as there is one. Rejects with the signal's reason. */
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
