import { abortable } from '@petals-chat/engine'
import {
  decodeExpertRequest,
  type ExpertRequest,
  type NextOptions,
  type ServedCall,
} from '@petals-chat/petals/protocol'
import { readMetadata, type Metadata } from '../requests/metadata.ts'

/** A request of a session, from the client or pushed by the server before. `release` gives its memory back. */
export interface Arrival {
  readonly request: ExpertRequest
  readonly metadata: Metadata
  release(): void
}

/** Reads the next request of a call; undefined after the end of its input. @throws ConnectionLostError, ProtocolError, ServedError */
async function readArrival(call: ServedCall, options: NextOptions): Promise<Arrival | undefined> {
  const received = await call.next(options)
  if (!received) return undefined
  try {
    const request = decodeExpertRequest(received.payload)
    const metadata = readMetadata(request.metadata)
    return { request, metadata, release: received.release }
  } catch (error) {
    received.release()
    throw error
  }
}

/** Requests that are read ahead, and pushed ones that wait. */
const maxAhead = 5
const maxPushed = 16

/**
 * The requests of one session, in the order of their arrival. Requests of the client are read ahead, also to notice at once
 * that it has left.
 */
export class Arrivals implements Disposable {
  readonly #over = new AbortController()
  readonly #left = new AbortController()
  readonly #queue: Arrival[] = []
  #hasEnded = false
  #failure: Error | undefined
  #wake = Promise.withResolvers<void>()
  #taken = Promise.withResolvers<void>()

  /** @param startMs how long the client may take to begin its first request: without one, its input has ended */
  constructor(call: ServedCall, startMs: number) {
    void this.#read(call, startMs)
  }

  /** Aborted when the client has left, or has violated the protocol. */
  get left(): AbortSignal {
    return this.#left.signal
  }

  /** Adds a pushed request. One too many is dropped: its sender is not waiting for an answer. */
  push(arrival: Arrival): void {
    if (this.#over.signal.aborted || this.#queue.length >= maxAhead + maxPushed) return arrival.release()
    this.#queue.push(arrival)
    this.#wake.resolve()
  }

  /** Waits for the next request, and leaves it there. Returns and throws as `next`. */
  async peek(timeoutMs: number, signal?: AbortSignal): Promise<Arrival | undefined> {
    const late = Promise.withResolvers<'late'>()
    const timer = setTimeout(() => late.resolve('late'), timeoutMs)
    try {
      while (this.#queue.length === 0) {
        if (this.#failure) throw this.#failure
        if (this.#hasEnded) return undefined
        const first = Promise.race([this.#wake.promise, late.promise])
        if ((await abortable(first, signal)) === 'late') return undefined
        this.#wake = Promise.withResolvers()
      }
    } finally {
      clearTimeout(timer)
    }
    return this.#queue[0]
  }

  /**
   * Returns the next request; undefined at the end of input, or if none arrives in time.
   * @throws what reading has thrown, the reason of the signal
   */
  async next(timeoutMs: number, signal?: AbortSignal): Promise<Arrival | undefined> {
    if (!(await this.peek(timeoutMs, signal))) return undefined
    this.#taken.resolve()
    return this.#queue.shift()
  }

  [Symbol.dispose](): void {
    this.#over.abort(new Error('The session has ended.'))
    this.#taken.resolve()
    for (const { release } of this.#queue.splice(0)) release()
  }

  async #read(call: ServedCall, startMs: number): Promise<void> {
    const { signal } = this.#over
    let options: NextOptions = { signal, startMs }
    try {
      while (!signal.aborted && (await this.#readNext(call, options))) {
        options = { signal }
        await this.#untilRoom(signal)
      }
      this.#hasEnded = true
    } catch (error) {
      if (signal.aborted) return
      this.#failure = error instanceof Error ? error : new Error(String(error))
      this.#left.abort(this.#failure)
    }
    this.#wake.resolve()
  }

  /** Returns false at the end of input. A function of its own, so that no request stays in memory while the next one is read. */
  async #readNext(call: ServedCall, options: NextOptions): Promise<boolean> {
    const arrival = await readArrival(call, options)
    if (!arrival) return false
    if (this.#over.signal.aborted) arrival.release()
    else this.#queue.push(arrival)
    this.#wake.resolve()
    return true
  }

  async #untilRoom(signal: AbortSignal): Promise<void> {
    while (this.#queue.length >= maxAhead && !signal.aborted) {
      this.#taken = Promise.withResolvers()
      await this.#taken.promise
    }
  }
}
