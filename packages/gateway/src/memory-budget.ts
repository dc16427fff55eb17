import { CapacityError } from '@petals-chat/engine'

/** The bytes that clients may make this process hold at the same time, all of them together. */
export class MemoryBudget {
  readonly #limit: number
  readonly #onChange: (used: number) => void
  #used = 0

  constructor(limit: number, onChange: (used: number) => void = () => {}) {
    this.#limit = limit
    this.#onChange = onChange
  }

  /** Bytes that are reserved now. */
  get used(): number {
    return this.#used
  }

  /** Opens a reservation of no bytes. Disposing it frees what it holds. */
  open(): Reservation {
    return new Reservation((bytes) => this.#change(bytes))
  }

  #change(bytes: number): boolean {
    if (bytes > 0 && this.#used + bytes > this.#limit) return false
    this.#used += bytes
    if (bytes !== 0) this.#onChange(this.#used)
    return true
  }
}

/** A part of a budget, which grows and shrinks with what it stands for. */
export class Reservation implements Disposable {
  readonly #change: (bytes: number) => boolean
  #bytes = 0

  constructor(change: (bytes: number) => boolean) {
    this.#change = change
  }

  /** Returns false, and reserves nothing, if the budget has no room for `bytes` more. */
  tryGrow(bytes: number): boolean {
    if (!this.#change(bytes)) return false
    this.#bytes += bytes
    return true
  }

  /** @throws CapacityError if the budget has no room for `bytes` more. */
  grow(bytes: number): void {
    if (!this.tryGrow(bytes)) throw budgetError()
  }

  shrink(bytes: number): void {
    this.tryGrow(-Math.min(bytes, this.#bytes))
  }

  [Symbol.dispose](): void {
    this.shrink(this.#bytes)
  }
}

/** The error of a client whose data finds no room. */
export const budgetError = (): CapacityError =>
  new CapacityError(
    'This server holds as many request bodies and messages as it can (server.maxBufferedBytes). Try again later.',
  )
