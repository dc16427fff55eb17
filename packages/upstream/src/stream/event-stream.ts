import type { IncomingMessage } from 'node:http'
import { EventReader, StreamFault } from './event-reader.ts'

export interface EventStreamOptions {
  /** Silence that ends the stream. Read anew before each wait. */
  readonly idleTimeoutMs: number
}

const END_TIMEOUT_MS = 1_000

/**
 * The JSON values of an event stream until `[DONE]` or its end. The time of the reader is not counted as silence. Destroys
 * the response when the caller stops. Iterating throws StreamFault.
 *
 * A value is there in the turn of the event loop in which its bytes came: the iterator of a response would take another turn.
 */
export class EventStream implements AsyncIterableIterator<unknown, void, undefined> {
  readonly #response: IncomingMessage
  readonly #silence: Silence
  readonly #values: unknown[] = []
  readonly #reader = new EventReader((value) => this.#values.push(value))
  /** How the stream has ended, for the reader of the last value. */
  #end: { readonly fault: StreamFault | undefined } | undefined
  #wake: (() => void) | undefined

  constructor(response: IncomingMessage, options: EventStreamOptions) {
    this.#response = response
    this.#silence = new Silence(options, (fault) => response.destroy(fault))
    response.setEncoding('utf8')
    response.on('data', (text: string) => this.#take(() => this.#reader.push(text)))
    response.on('end', () => {
      this.#take(() => this.#reader.finish())
      this.#finish(undefined)
    })
    response.on('error', (error) => this.#break(error))
    response.on('close', () => this.#break(undefined))
    if (response.destroyed) this.#break(undefined)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<unknown, void>> {
    while (this.#values.length === 0) {
      if (this.#end !== undefined) return this.#leave()
      await this.#more()
    }
    return { done: false, value: this.#values.shift() }
  }

  /** What has happened to the rest of the stream is nothing to a caller that stops. */
  async return(): Promise<IteratorResult<unknown, void>> {
    this.#end = { fault: undefined }
    this.#values.length = 0
    return this.#leave()
  }

  async #more(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    this.#silence.watch()
    if (this.#response.isPaused()) this.#response.resume()
    await promise
  }

  /** Reads what has come. While the caller is busy, nothing more is read. */
  #take(read: () => void): void {
    if (this.#end !== undefined) return
    try {
      read()
      if (this.#reader.isComplete) this.#finish(undefined)
    } catch (error) {
      this.#break(error)
    }
    if (this.#wake === undefined) {
      if (this.#values.length > 0) this.#response.pause()
    } else if (this.#values.length > 0) this.#notify()
    // A comment, or a part of an event: the server is not silent.
    else this.#silence.watch()
  }

  /** Each stream closes, and few do before their end: only those have a fault. */
  #break(error: unknown): void {
    if (this.#end === undefined) this.#finish(asFault(error))
  }

  #finish(fault: StreamFault | undefined): void {
    this.#end ??= { fault }
    this.#notify()
  }

  #notify(): void {
    this.#silence.ignore()
    this.#wake?.()
    this.#wake = undefined
  }

  #leave(): { readonly done: true; readonly value: undefined } {
    this.#silence.stop()
    leave(this.#response, this.#reader.isComplete)
    if (this.#end?.fault !== undefined) throw this.#end.fault
    return { done: true, value: undefined }
  }
}

/** Notices a silent stream. One timer serves all waits, because most of them are short. */
class Silence {
  readonly #options: EventStreamOptions
  readonly #onSilence: (fault: StreamFault) => void
  #timer: NodeJS.Timeout | undefined
  #ms = 0
  #isWatching = false

  constructor(options: EventStreamOptions, onSilence: (fault: StreamFault) => void) {
    this.#options = options
    this.#onSilence = onSilence
  }

  /** A wait begins. */
  watch(): void {
    this.#isWatching = true
    const { idleTimeoutMs } = this.#options
    if (this.#timer !== undefined && idleTimeoutMs === this.#ms) return void this.#timer.refresh()
    clearTimeout(this.#timer)
    this.#ms = idleTimeoutMs
    this.#timer = setTimeout(() => {
      if (this.#isWatching) this.#onSilence(new StreamFault(`sent nothing for ${idleTimeoutMs / 1000} s`))
    }, idleTimeoutMs)
  }

  /** The wait is over. */
  ignore(): void {
    this.#isWatching = false
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}

const asFault = (error: unknown): StreamFault =>
  error instanceof StreamFault
    ? error
    : new StreamFault('closed the connection in the middle of an answer', { cause: error })

/** After the last event, the connection can serve the next request if its end comes at once. */
function leave(response: IncomingMessage, isComplete: boolean): void {
  if (!isComplete) return void response.destroy()
  const timer = setTimeout(() => response.destroy(), END_TIMEOUT_MS).unref()
  response.once('close', () => clearTimeout(timer)).on('error', () => {})
  response.resume()
}
