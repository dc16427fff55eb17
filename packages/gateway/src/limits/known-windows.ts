import type { CountedWindow } from './window-counters.ts'

/** Windows that are remembered. Above this number those that have ended go, then the oldest of which nothing is unsent. */
const MAX_KNOWN = 50_000

/** What is known of a window of the store: what it had when it last answered, and what it has not been told since. */
export class KnownWindow {
  readonly key: string
  #endsAt: number
  #used = 0
  #unsent = 0

  constructor(key: string, seconds: number) {
    this.key = key
    this.#endsAt = Date.now() + seconds * 1000
  }

  get isOpen(): boolean {
    return Date.now() < this.#endsAt
  }

  /** What the store has not counted yet; negative if it has counted too much. */
  get unsent(): number {
    return this.#unsent
  }

  get state(): CountedWindow {
    return { used: this.#used, resetMs: Math.max(this.#endsAt - Date.now(), 0) }
  }

  /** Whole seconds until it ends, at least one. */
  get seconds(): number {
    return Math.max(Math.ceil(this.state.resetMs / 1000), 1)
  }

  /** Counts what the store is told later. */
  add(amount: number): CountedWindow {
    this.#used += amount
    this.#unsent += amount
    return this.state
  }

  /** Takes what is to be sent now: with `failed` it comes back. */
  take(): number {
    const amount = this.#unsent
    this.#unsent = 0
    return amount
  }

  /** The store may not have counted what was sent: of it, `amount` is new. */
  failed(sent: number, amount: number): CountedWindow {
    this.#used += amount
    this.#unsent += sent
    return this.state
  }

  /** The store has counted, too late to be waited for, what `failed` had taken for lost. */
  arrived(sent: number): void {
    this.#unsent -= sent
  }

  /** The store has answered. */
  seen({ used, resetMs }: CountedWindow): CountedWindow {
    this.#used = used + this.#unsent
    this.#endsAt = Date.now() + resetMs
    return this.state
  }
}

/** The open windows of a store, as this process knows them. */
export class KnownWindows {
  readonly #windows = new Map<string, KnownWindow>()

  find(key: string): KnownWindow | undefined {
    const window = this.#windows.get(key)
    if (window?.isOpen) return window
    this.#windows.delete(key)
    return undefined
  }

  /** @param seconds - the length of the window, if none is open */
  open(key: string, seconds: number): KnownWindow {
    const known = this.find(key)
    if (known !== undefined) return known
    if (this.#windows.size >= MAX_KNOWN) this.#forget()
    const window = new KnownWindow(key, seconds)
    this.#windows.set(key, window)
    return window
  }

  /** Those that the store does not know completely. */
  unsent(): readonly KnownWindow[] {
    return [...this.#windows.values()].filter(({ isOpen, unsent }) => isOpen && unsent !== 0)
  }

  #forget(): void {
    for (const [key, { isOpen }] of this.#windows) if (!isOpen) this.#windows.delete(key)
    for (const [key, { unsent }] of this.#windows) {
      if (this.#windows.size <= MAX_KNOWN / 2) return
      if (unsent === 0) this.#windows.delete(key)
    }
  }
}
