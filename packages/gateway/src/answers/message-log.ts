import { abortable } from '@petals-chat/engine'
import { AnswerGoneError } from '../errors.ts'

export interface NumberedMessage {
  /** Messages count from 1. */
  readonly number: number
  readonly text: string
}

/** The messages of one answer, in order. Any number of readers read them at their own pace, without copies. */
export class MessageLog {
  readonly #messages: string[] = []
  /** Messages that were dropped from the front. */
  #dropped = 0
  #bytes = 0
  #ended = false
  #change: PromiseWithResolvers<void> | undefined

  /** UTF-8 bytes of the messages that are kept. */
  get bytes(): number {
    return this.#bytes
  }

  /** The part of `bytes` that `dropOldest` can free. */
  get spareBytes(): number {
    const newest = this.#messages.at(-1)
    return newest === undefined ? 0 : this.#bytes - Buffer.byteLength(newest)
  }

  /** Number of the newest message; 0 before the first. */
  get last(): number {
    return this.#dropped + this.#messages.length
  }

  /** No message will be added. */
  get ended(): boolean {
    return this.#ended
  }

  append(text: string): void {
    this.#messages.push(text)
    this.#bytes += Buffer.byteLength(text)
    this.#notify()
  }

  end(): void {
    this.#ended = true
    this.#notify()
  }

  /** Drops the oldest messages until `bytes` are free, but never the newest one, because readers still wait for it. */
  dropOldest(bytes: number): void {
    let count = 0
    for (let freed = 0; freed < bytes && count < this.#messages.length - 1; count++) {
      freed += Buffer.byteLength(this.#messages[count]!)
    }
    this.#drop(count)
  }

  /** Drops everything. */
  clear(): void {
    this.#drop(this.#messages.length)
    this.#notify()
  }

  /**
   * Yields the messages after number `after`: those that are kept, then new ones as they come, until the log ends.
   * @throws AnswerGoneError if one of them was dropped; the signal's reason.
   */
  async *read(after: number, signal: AbortSignal): AsyncGenerator<NumberedMessage, void, undefined> {
    for (let number = after + 1; ; number++) {
      while (number > this.last && !this.#ended) await abortable(this.#nextChange(), signal)
      signal.throwIfAborted()
      if (number > this.last) return
      if (number <= this.#dropped) throw this.#droppedError()
      yield { number, text: this.#messages[number - this.#dropped - 1]! }
    }
  }

  #droppedError(): AnswerGoneError {
    return new AnswerGoneError(`Parts 1 to ${this.#dropped} of this answer are no longer kept.`)
  }

  #drop(count: number): void {
    for (const text of this.#messages.splice(0, count)) this.#bytes -= Buffer.byteLength(text)
    this.#dropped += count
  }

  #nextChange(): Promise<void> {
    return (this.#change ??= Promise.withResolvers<void>()).promise
  }

  #notify(): void {
    this.#change?.resolve()
    this.#change = undefined
  }
}
