/** Whether the process that computes can be used now. */
export class Readiness {
  readonly #listeners = new Set<() => void>()
  #isReady = false

  get isReady(): boolean {
    return this.#isReady
  }

  /** Calls the listener after each change. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  set(isReady: boolean): void {
    if (isReady === this.#isReady) return
    this.#isReady = isReady
    for (const listener of this.#listeners) listener()
  }
}
