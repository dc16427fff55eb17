import { randomUUID } from 'node:crypto'
import type { CountedWindow } from './window-counters.ts'

/** Windows that are remembered. Above this number those that have ended go, then the oldest of which the store knows all. */
const MAX_KNOWN = 50_000

/** What a gateway tells the store of one window. */
export interface ToldTotal {
  readonly key: string
  /** Names the gateway and its view of this window. */
  readonly teller: string
  /** All that it has counted. */
  readonly total: number
  /** The part of `total` that the store had answered for. */
  readonly told: number
  /** Counts the messages of the teller: one that arrives after a later one is void. */
  readonly number: number
  /** The length of the window, if none is open in the store. */
  readonly seconds: number
}

/**
 * What is known of a window of the store: what it had when it last answered, and what was counted here since. Time is measured
 * by a clock that is never set.
 */
export class KnownWindow {
  readonly key: string
  readonly #teller = randomUUID()
  #endsAt: number
  #total = 0
  #told = 0
  #number = 0
  /** The last answer of the store, with what of `#total` it has in it. */
  #seen = { number: 0, used: 0, total: 0 }

  constructor(key: string, seconds: number) {
    this.key = key
    this.#endsAt = performance.now() + seconds * 1000
  }

  get isOpen(): boolean {
    return performance.now() < this.#endsAt
  }

  /** There is something that the store has not answered for. */
  get isAhead(): boolean {
    return this.#total !== this.#told
  }

  get state(): CountedWindow {
    const used = this.#seen.used + this.#total - this.#seen.total
    return { used, resetMs: Math.max(this.#endsAt - performance.now(), 0) }
  }

  add(amount: number): void {
    this.#total += amount
  }

  /** Returns the next message to the store. */
  next(): ToldTotal {
    const seconds = Math.max(Math.ceil(this.state.resetMs / 1000), 1)
    const [key, teller, total, told, number] = [
      this.key,
      this.#teller,
      this.#total,
      this.#told,
      ++this.#number,
    ]
    return { key, teller, total, told, number, seconds }
  }

  /** The store has answered a message, perhaps too late to be waited for. */
  answered({ number, total }: Pick<ToldTotal, 'number' | 'total'>, { used, resetMs }: CountedWindow): void {
    if (number < this.#seen.number) return
    this.#told = total
    this.#seen = { number, used, total }
    this.#endsAt = performance.now() + resetMs
  }

  /** The store has said what it has, without a message of this process; nothing of this process is missing in it. */
  observed(window: CountedWindow): void {
    this.answered({ number: this.#number, total: this.#total }, window)
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
  ahead(): readonly KnownWindow[] {
    return [...this.#windows.values()].filter(({ isOpen, isAhead }) => isOpen && isAhead)
  }

  #forget(): void {
    for (const [key, { isOpen }] of this.#windows) if (!isOpen) this.#windows.delete(key)
    for (const [key, { isAhead }] of this.#windows) {
      if (this.#windows.size <= MAX_KNOWN / 2) return
      if (!isAhead) this.#windows.delete(key)
    }
  }
}
