/** Counts what each client holds open at the same time. */
export class ClientCap {
  readonly #max: number
  readonly #open = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  /** Returns a function that closes what is opened now; undefined if the client has as much open as it may. */
  tryOpen(client: string): (() => void) | undefined {
    const count = this.#open.get(client) ?? 0
    if (count >= this.#max) return undefined
    this.#open.set(client, count + 1)
    let isOpen = true
    return () => {
      if (isOpen) this.#close(client)
      isOpen = false
    }
  }

  #close(client: string): void {
    const count = (this.#open.get(client) ?? 0) - 1
    if (count > 0) this.#open.set(client, count)
    else this.#open.delete(client)
  }
}
