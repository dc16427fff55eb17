import { decodeMsgpack } from '../wire/msgpack-decode.ts'
import type { MsgpackValue } from '../wire/msgpack-values.ts'
import { decodeExpertRequest, type ExpertRequest } from '../wire/runtime.ts'
import { silence, type ServedCall } from './rpc-server.ts'

export type Fields = ReadonlyMap<MsgpackValue, MsgpackValue>

/** An ExpertRequest from the client or, if it was pushed, from the server before. */
export interface Arrival {
  readonly request: ExpertRequest
  readonly metadata: Fields
}

export const metadataOf = ({ metadata }: ExpertRequest): Fields =>
  metadata.byteLength > 0 ? (decodeMsgpack(metadata) as Fields) : new Map()

/** The requests of one session, from the client and from pushes, in the order of their arrival. */
export class SessionArrivals {
  readonly #queue: (Arrival | undefined)[]
  readonly #stepTimeoutMs: number | undefined
  #failure: Error | undefined
  #wake = Promise.withResolvers<void>()
  readonly #cancelled = Promise.withResolvers<never>()
  /** Rejects when the caller disconnects: the daemon then cancels the handler at once, whatever it is doing. */
  readonly cancelled = this.#cancelled.promise

  constructor(call: ServedCall, first: Arrival, stepTimeoutMs: number | undefined) {
    this.#queue = [first]
    this.#stepTimeoutMs = stepTimeoutMs
    this.cancelled.catch(() => {})
    void this.#read(call)
  }

  add(arrival: Arrival | undefined): void {
    this.#queue.push(arrival)
    this.#wake.resolve()
  }

  /** Returns the next request; undefined at the end of input, and after the timeout of a step. */
  async next(): Promise<Arrival | undefined> {
    const timeout =
      this.#stepTimeoutMs === undefined
        ? silence()
        : new Promise<'timeout'>((r) => setTimeout(r, this.#stepTimeoutMs, 'timeout'))
    while (this.#queue.length === 0) {
      if (this.#failure) throw this.#failure
      if ((await Promise.race([this.#wake.promise, timeout])) === 'timeout') return undefined
      this.#wake = Promise.withResolvers()
    }
    return this.#queue.shift()
  }

  async #read(call: ServedCall): Promise<void> {
    try {
      for (let data = await call.next(); data; data = await call.next()) {
        const request = decodeExpertRequest(data)
        this.add({ request, metadata: metadataOf(request) })
      }
      this.add(undefined)
    } catch (error) {
      this.#failure = error as Error
      this.#cancelled.reject(error as Error)
      this.#wake.resolve()
    }
  }
}
